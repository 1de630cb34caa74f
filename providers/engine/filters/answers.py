"""An answer as it may be shown, event by event, with the shortest tail held back.

Text and thoughts are held as `Passage` says; a tool call, and an answer that was asked for as JSON,
until it is whole, since a placeholder in the place of a number would break it. What is no text of
the model's (`Start`, a notice, a citation) waits for nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    ReasoningDelta,
    StepEnded,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    ToolResulted,
    UsageReported,
)
from providers.engine.filters.finder import Finder
from providers.engine.filters.passage import Cleared, Passage
from providers.engine.filters.requests import Screen
from providers.engine.policy import FilterMode

_ENDS = (ToolCallDelta, ToolCalled, ToolResulted, StepEnded, UsageReported, Finish)
Delta = TextDelta | ReasoningDelta


@dataclass(slots=True)
class AnswerScreen:
    """`mode` is for the answer, `tools` for results of tools that run here.

    `is_json`: the text was asked for as JSON. `found` counts by kind. Whoever blocks looks at it
    after each `take` and shows nothing of what that returned.
    """

    finder: Finder
    mode: FilterMode
    tools: FilterMode
    is_json: bool = False
    found: Counter[str] = field(default_factory=Counter[str])
    _passage: Passage | None = None
    _last: Delta | None = None
    _is_thought_changed: bool = False
    _json: list[str] = field(default_factory=list[str])

    def take(self, event: Event) -> list[Event]:
        """Answer what may be shown now. Raises DetectorFailed."""
        if self.mode is FilterMode.OFF:
            return [self._results(event)]
        if self.mode is FilterMode.FLAG:
            list(self._cleared(event))
            return [event]
        return list(self._cleared(event))

    def _cleared(self, event: Event) -> Iterator[Event]:
        if self.is_json and isinstance(event, TextDelta) and not event.is_refusal:
            self._json.append(event.text)
            return
        if isinstance(event, TextDelta | ReasoningDelta):
            yield from self._delta(event)
            return
        if isinstance(event, _ENDS):
            yield from self._flush()
        if not isinstance(event, ToolCallDelta):
            yield self._whole(event)

    def _delta(self, event: Delta) -> Iterator[Event]:
        if self._last is None or not _continues(self._last, event):
            yield from self._flush()
            self._passage, self._is_thought_changed = Passage(self.finder), False
        passage = self._passage or Passage(self.finder)
        self._last = event
        cleared = passage.feed(event.text)
        self._note(cleared)
        if isinstance(event, ReasoningDelta) and event.replay is not None:
            # The seal closes the thought; sealed words cannot be changed, so they go instead.
            rest = passage.flush()
            self._note(rest)
            self._last = None
            sealed = None if self._is_thought_changed else event.replay
            yield ReasoningDelta(cleared.text + rest.text, sealed)
        elif cleared.text:
            yield replace(event, text=cleared.text)

    def _flush(self) -> Iterator[Event]:
        if self._json:
            whole, self._json = "".join(self._json), []
            yield TextDelta(self._words(whole, is_json=True))
        last, self._last = self._last, None
        if last is None or self._passage is None:
            return
        cleared = self._passage.flush()
        self._note(cleared)
        if cleared.text:
            yield replace(last, text=cleared.text)

    def _note(self, cleared: Cleared) -> None:
        self.found.update(cleared.kinds)
        self._is_thought_changed = self._is_thought_changed or bool(cleared.kinds)

    def _whole(self, event: Event) -> Event:
        match event:
            case ToolCalled(call=call):
                arguments = self._words(call.arguments, is_json=True)
                return replace(event, call=replace(call, arguments=arguments))
            case StepEnded():
                return self._step(event)
            case ToolResulted():
                return self._results(event)
            case Citations(items):
                return Citations(tuple(map(self._citation, items)))
            case _:
                return event

    def _step(self, event: StepEnded) -> StepEnded:
        """Write down again what was shown: nothing of it is counted a second time."""
        found, self.found = self.found, Counter()
        calls = tuple(
            replace(call, arguments=self._words(call.arguments, is_json=True))
            for call in event.calls
        )
        step = replace(event, text=self._words(event.text), calls=calls)
        self.found = found
        return step

    def _citation(self, cited: Citation) -> Citation:
        # Places count characters of the answer as the model wrote it.
        is_moved = bool(self.found) and self.mode is FilterMode.REDACT
        return replace(
            cited,
            title=self._words(cited.title),
            quoted=self._words(cited.quoted),
            start=None if is_moved else cited.start,
            end=None if is_moved else cited.end,
        )

    def _results(self, event: Event) -> Event:
        if not isinstance(event, ToolResulted):
            return event
        screen = Screen(self.finder, self.tools, self.tools)
        return replace(event, result=screen.result(event.result))

    def _words(self, text: str, *, is_json: bool = False) -> str:
        screen = Screen(self.finder, self.mode, self.tools)
        change = screen.arguments if is_json else screen.words
        changed = change(text, self.mode, "")
        self.found.update(violation.category for _, violation in screen.found)
        return changed


def _continues(last: Delta, event: Delta) -> bool:
    if isinstance(last, TextDelta) and isinstance(event, TextDelta):
        return last.is_refusal == event.is_refusal
    return type(last) is type(event)
