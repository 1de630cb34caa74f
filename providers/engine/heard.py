"""What one model step says: passed on as it comes, kept for the next step, checked at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from providers.engine import structured
from providers.engine.call import StructuredBy
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    Notice,
    NoticeKind,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.request import Part, Refusal, ResponseSchema, Text, ToolCall

_CUT = {FinishReason.LENGTH: "output limit", FinishReason.CONTENT_FILTER: "provider's filter"}
_WAYS = {
    StructuredBy.NATIVE: "by the model's own means",
    StructuredBy.TOOL: "by a tool, since the model has no schemas of its own",
    StructuredBy.PROMPT: "by the prompt, since the model has no schemas of its own",
}


@dataclass(slots=True)
class Heard:
    """`parts` in the order in which they go back to the model.

    Where JSON is `wanted`, text is held back until it is known to be an answer. `faults` empty: it
    is, or none was due.
    """

    wanted: ResponseSchema | None = None
    parts: list[Part] = field(default_factory=list[Part])
    reason: FinishReason = FinishReason.STOP
    faults: tuple[str, ...] = ()
    _held: list[Event] = field(default_factory=list[Event])

    @property
    def cut_by(self) -> str | None:
        """What cut it short: its last call may lack its end, and none of them is run."""
        return _CUT.get(self.reason)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(part for part in self.parts if isinstance(part, ToolCall))

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))

    def take(self, event: Event) -> Sequence[Event]:
        """Answer what may be passed on by now."""
        self._keep(event)
        match event:
            case UsageReported() | Finish():
                return ()
            case TextDelta(is_refusal=False) if self.wanted is not None:
                self._held.append(event)
                return ()
            case ToolCallDelta() | ToolCalled():
                return [*self._freed(), event]
            case _:
                return (event,)

    def end(self, by: StructuredBy) -> Sequence[Event]:
        """Answer what was held back and is good, with words about it."""
        if self.wanted is None or not self._is_answer():
            return self._freed()
        self._held.clear()
        if self.reason is FinishReason.LENGTH:
            self.faults = ("$: it was cut by the output limit",)
            return ()
        found = structured.read(self.text, self.wanted)
        self.faults = found.faults
        if found.faults:
            words = f"The answer does not fit its schema: {'; '.join(found.faults)}."
            return [Notice(NoticeKind.STRUCTURED, words)]
        rest = [part for part in self.parts if not isinstance(part, Text)]
        self.parts = [*rest, Text(found.text)]
        repaired = " Its syntax was repaired." if found.was_repaired else ""
        words = f"The answer fits its schema, asked for {_WAYS[by]}.{repaired}"
        return [TextDelta(found.text), Notice(NoticeKind.STRUCTURED, words)]

    def _is_answer(self) -> bool:
        """Tell whether JSON was due: not beside a call, a refusal or what a filter kept back."""
        declined = any(isinstance(part, Refusal) for part in self.parts)
        is_filtered = self.reason is FinishReason.CONTENT_FILTER
        return not (self.calls or declined or is_filtered)

    def _freed(self) -> list[Event]:
        held, self._held = self._held, []
        return held

    def _keep(self, event: Event) -> None:
        match event:
            case TextDelta(text, is_refusal):
                self._add(Refusal(text) if is_refusal else Text(text))
            case ReasoningDelta(_, replay) if replay is not None:
                self.parts.append(replay)
            case ToolCalled(_, call):
                self.parts.append(call)
            case Finish(reason):
                self.reason = reason
            case _:
                pass

    def _add(self, said: Text | Refusal) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Text | Refusal) and type(last) is type(said):
            self.parts[-1] = replace(last, text=last.text + said.text)
        else:
            self.parts.append(said)
