"""Keep what must not leave from leaving, as the team's policy says: up, back, and from tools.

Fail closed: where a detector breaks, what may not leave unseen is blocked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from providers.engine.call import AttemptStatus, Call, Stream
from providers.engine.errors import ContentBlocked, Violation
from providers.engine.events import Event, Finish, FinishReason, Safety
from providers.engine.filters.answers import AnswerScreen
from providers.engine.filters.finder import DetectorFailed, Finder, finder_of
from providers.engine.filters.patterns import PatternFault
from providers.engine.filters.requests import Screen
from providers.engine.filters.verdicts import UNCHECKED, blocked, kept_back, safety
from providers.engine.policy import FilterMode, Policies, Policy
from providers.engine.ports import Open
from providers.engine.request import ToolResult

Found = Callable[[str, str, FilterMode, int], None]
"""Hears of a kind, a place (input, output, tools), what was done, and how often."""

_STRICT = frozenset({FilterMode.REDACT, FilterMode.BLOCK})


@dataclass(slots=True)
class Filters:
    """`regions`: where telephone numbers without a country code are taken to be from."""

    policies: Policies
    found: Found
    regions: tuple[str, ...] = ("US",)

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        policy = self.policies(call.caller.team_id)
        return self._open(call, policy, open_next) if _is_on(policy) else open_next(call)

    @asynccontextmanager
    async def _open(
        self, call: Call, policy: Policy, open_next: Open[Call]
    ) -> AsyncGenerator[Stream]:
        """Change the call's request before anything below sees it. Raises ContentBlocked."""
        finder = _compiled(policy, self.regions)
        told = self._request(call, policy, finder)
        if policy.pii_tools is not FilterMode.OFF:
            call.screen = partial(self._result, finder, policy.pii_tools)
        is_json = call.request.response_schema is not None
        screen = AnswerScreen(finder, policy.pii_output, policy.pii_tools, is_json=is_json)
        async with (
            open_next(call) as stream,
            aclosing(self._events(stream, screen, told)) as events,
        ):
            frames = stream.frames if policy.pii_output is FilterMode.OFF else None
            yield replace(stream, events=events, frames=frames)

    def _request(self, call: Call, policy: Policy, finder: Finder) -> list[Safety]:
        screen = Screen(finder, policy.pii_input, policy.pii_tools)
        try:
            call.request = screen.request(call.request)
        except DetectorFailed as fault:
            if _STRICT & {policy.pii_input, policy.pii_tools}:
                raise blocked([Violation(UNCHECKED)]) from fault
            return [safety(UNCHECKED, "input", FilterMode.FLAG)]
        counts = Counter((mode, each.category) for mode, each in screen.found)
        for (mode, kind), count in counts.items():
            self.found(kind, "input", mode, count)
        violations = [each for mode, each in screen.found if mode is FilterMode.BLOCK]
        if violations:
            raise blocked(violations)
        return [safety(kind, "input", mode) for mode, kind in counts]

    def _result(self, finder: Finder, mode: FilterMode, result: ToolResult) -> ToolResult:
        """Screen what a tool of ours gives to the model; what is blocked becomes an error."""
        screen = Screen(finder, mode, mode)
        try:
            screened = screen.result(result)
        except DetectorFailed:
            return kept_back(result, [UNCHECKED]) if mode in _STRICT else result
        kinds = Counter(violation.category for _, violation in screen.found)
        for kind, count in kinds.items():
            self.found(kind, "tools", mode, count)
        return kept_back(result, kinds) if kinds and mode is FilterMode.BLOCK else screened

    async def _events(
        self, stream: Stream, screen: AnswerScreen, told: Sequence[Safety]
    ) -> AsyncGenerator[Event, None]:
        for verdict in told:
            yield verdict
        async for event in stream.events:
            shown = _shown(screen, event)
            if shown is None:
                for last in self._end_blocked(stream, screen):
                    yield last
                return
            if isinstance(event, Finish):
                shown[-1:-1] = self._verdicts(screen.found, screen.mode)
            for each in shown:
                yield each

    def _end_blocked(self, stream: Stream, screen: AnswerScreen) -> Iterator[Event]:
        """End the answer cleanly; its attempt, which is left early, under the reason's name."""
        if stream.record.status is AttemptStatus.PENDING:
            stream.record.error_code = ContentBlocked.code
        broken = Counter({UNCHECKED: 1}) if UNCHECKED in screen.found else screen.found
        yield from self._verdicts(broken, FilterMode.BLOCK)
        yield Finish(FinishReason.CONTENT_FILTER)

    def _verdicts(self, found: Counter[str], mode: FilterMode) -> list[Safety]:
        for kind, count in found.items():
            self.found(kind, "output", mode, count)
        return [safety(kind, "output", mode) for kind in found]


def _shown(screen: AnswerScreen, event: Event) -> list[Event] | None:
    """None: nothing more may be shown."""
    try:
        shown = screen.take(event)
    except DetectorFailed:
        screen.found[UNCHECKED] = 1
        return [event] if screen.mode is FilterMode.FLAG else None
    return None if screen.mode is FilterMode.BLOCK and screen.found else shown


def _is_on(policy: Policy) -> bool:
    modes = (policy.pii_input, policy.pii_output, policy.pii_tools)
    return any(mode is not FilterMode.OFF for mode in modes)


def _compiled(policy: Policy, regions: tuple[str, ...]) -> Finder:
    try:
        return _finder(policy, regions)
    except PatternFault as fault:
        raise blocked([Violation(UNCHECKED)]) from fault


_finder = lru_cache(maxsize=256)(finder_of)
