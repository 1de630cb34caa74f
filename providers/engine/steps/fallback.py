"""From a call to attempts: the route's deployments in order, while errors say that helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from providers.engine.call import Attempt, Call, Stream
from providers.engine.errors import (
    ContextTooLong,
    EngineError,
    InvalidRequest,
    NoDeploymentAvailable,
    UpstreamError,
)
from providers.engine.events import Notice, NoticeKind
from providers.engine.first_to_open import FirstToOpen
from providers.engine.needs import input_tokens, needs_of, unfit
from providers.engine.ports import Now, Open, Random
from providers.engine.routes import Deployment


@dataclass(slots=True)
class _Tried:
    """`skipped` in sentences: what could not have answered, so it was not asked."""

    skipped: list[str] = field(default_factory=list[str])
    failures: list[tuple[str, UpstreamError]] = field(
        default_factory=list[tuple[str, UpstreamError]]
    )


@dataclass(frozen=True, slots=True)
class Fallback:
    now: Now
    random: Random

    def open(self, call: Call, open_next: Open[Attempt]) -> FirstToOpen:
        return FirstToOpen(partial(self._first_that_works, call, open_next))

    async def _first_that_works(
        self, call: Call, open_next: Open[Attempt], first: FirstToOpen
    ) -> Stream:
        tried = _Tried()
        deployments = self._fitting(call, tried)
        for place, deployment in enumerate(deployments):
            remaining = deployments[place + 1 :]
            attempt = Attempt(call, deployment, self._slice(call, len(remaining) + 1))
            try:
                return await first.enter(open_next(attempt))
            except UpstreamError as error:
                if not error.try_next:
                    raise
                tried.failures.append((deployment.name, error))
            if remaining:
                call.notices.append(_notice(tried.failures[-1][1], remaining[0].name))
        raise _nobody(call, tried)

    def _fitting(self, call: Call, tried: _Tried) -> Sequence[Deployment]:
        """Those that can take the prompt at all, in the order in which they are asked."""
        ordered = call.route.in_order(self.random() if call.route.weights else 0.0)
        call.preferred = ordered[0]
        picky = [each for each in ordered if each.lacks or each.context_tokens is not None]
        if not picky:
            return ordered
        needs, tokens = needs_of(call.request), input_tokens(call.request)
        fitting: list[Deployment] = []
        for deployment in ordered:
            lack = unfit(deployment, needs, tokens)
            if lack is None:
                fitting.append(deployment)
                continue
            tried.skipped.append(lack)
            call.notices.append(Notice(NoticeKind.FALLBACK, f"{lack} It was not asked."))
        return fitting

    def _slice(self, call: Call, shares: int) -> float:
        """Give a slow deployment its share of the time, never that of the next."""
        now = self.now()
        return now + max(call.deadline - now, 0.0) / shares


def _notice(error: UpstreamError, following: str) -> Notice:
    return Notice(NoticeKind.FALLBACK, f"{error.message} Trying {following}.")


def _nobody(call: Call, tried: _Tried) -> EngineError:
    causes = " ".join([*tried.skipped, *(error.message for _, error in tried.failures)])
    if not tried.failures:
        return _unfit(call, causes)
    if len(tried.failures) == 1 and not tried.skipped:
        return tried.failures[0][1]
    return NoDeploymentAvailable(
        f"No deployment of {call.route.name} could answer. {causes}", failures=tried.failures
    )


def _unfit(call: Call, causes: str) -> EngineError:
    """None was asked: the prompt is too long for all of them, or asks for what none can do."""
    needs = needs_of(call.request)
    if any(needs.isdisjoint(each.lacks) for each in call.route.deployments):
        return ContextTooLong(f"The prompt is too long for {call.route.name}. {causes}")
    return InvalidRequest(f"No deployment of {call.route.name} can take this prompt. {causes}")
