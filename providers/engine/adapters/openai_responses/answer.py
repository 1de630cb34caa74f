"""What has come of one response."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from providers.engine.adapters.openai_responses.encode import KIND
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.json_fields import Fields, count, inner, objects, text
from providers.engine.request import Reasoning, ToolCall
from providers.engine.usage import Usage

_REASONS = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_THOUGHTS = ("response.reasoning_summary_text.delta", "response.reasoning_text.delta")
# Between the paragraphs of a summary, which come as parts of their own.
_GAP = "\n\n"


@dataclass(slots=True)
class _Call:
    index: int
    id: str
    name: str
    arguments: str = ""


class Answer:
    """Unknown events and items, such as those of tools that run at OpenAI's, are passed over."""

    def __init__(self) -> None:
        # By the wire's index, which counts messages and thoughts as well; ours counts calls only.
        self._calls: dict[int, _Call] = {}
        self._thoughts: dict[int, str] = {}
        self._starts: dict[tuple[int, int], int] = {}
        self._length = 0
        self._citations: list[Citation] = []
        self._searches = 0
        self._server_calls = 0

    def take(self, said: Fields) -> Iterator[Event]:
        kind = text(said, "type")
        delta = text(said, "delta")
        match kind:
            case "response.output_text.delta" if delta:
                self._starts.setdefault(_place(said), self._length)
                self._length += len(delta)
                yield TextDelta(delta)
            case "response.refusal.delta" if delta:
                yield TextDelta(delta, is_refusal=True)
            case "response.function_call_arguments.delta":
                yield from self._more_of_call(count(said, "output_index"), delta)
            case "response.output_item.added" | "response.output_item.done":
                yield from self._item(said, is_done=kind.endswith("done"))
            case "response.output_text.annotation.added":
                self._cite(_place(said), inner(said, "annotation"))
            case _:
                yield from self._thought(said, kind, delta)

    def end(self, response: Fields) -> Iterator[Event]:
        """Close with the whole response, which alone tells usage and why it is incomplete."""
        for call in self._calls.values():
            yield ToolCalled(call.index, ToolCall(call.id, call.name, call.arguments or "{}"))
        if self._citations:
            yield Citations(tuple(self._citations))
        usage = inner(response, "usage")
        if usage:
            yield UsageReported(_usage(usage, self._searches, self._server_calls))
        usual = FinishReason.TOOL_CALLS if self._calls else FinishReason.STOP
        if response.get("status") == "incomplete":
            usual = FinishReason.LENGTH
        yield Finish(_REASONS.get(text(inner(response, "incomplete_details"), "reason"), usual))

    def _item(self, said: Fields, *, is_done: bool) -> Iterator[Event]:
        index, item = count(said, "output_index"), inner(said, "item")
        match item.get("type"):
            case "function_call":
                yield from self._call(index, item)
            case "reasoning" if is_done:
                yield from self._sealed(index, item)
            case str(kind) if is_done and kind.endswith("_call"):
                # A page that is opened is no search, and not billed as one.
                is_search = text(inner(item, "action"), "type") in {"search", ""}
                self._searches += kind == "web_search_call" and is_search
                self._server_calls += 1
            case _:
                return

    def _call(self, index: int, item: Fields) -> Iterator[ToolCallDelta]:
        """Begin it where it is new; the whole item brings what no delta brought."""
        known = self._calls.get(index)
        arguments = text(item, "arguments")
        if known is None:
            call = _Call(len(self._calls), text(item, "call_id"), text(item, "name"), arguments)
            self._calls[index] = call
            yield ToolCallDelta(call.index, arguments, id=call.id, name=call.name)
        elif not known.arguments:
            yield from self._more_of_call(index, arguments)

    def _more_of_call(self, index: int, fragment: str) -> Iterator[ToolCallDelta]:
        call = self._calls.get(index)
        if call is not None and fragment:
            call.arguments += fragment
            yield ToolCallDelta(call.index, fragment)

    def _thought(self, said: Fields, kind: str, delta: str) -> Iterator[ReasoningDelta]:
        index = count(said, "output_index")
        if kind == "response.reasoning_summary_part.added" and count(said, "summary_index"):
            delta = _GAP
        elif kind not in _THOUGHTS:
            return
        if delta:
            self._thoughts[index] = self._thoughts.get(index, "") + delta
            yield ReasoningDelta(delta)

    def _sealed(self, index: int, item: Fields) -> Iterator[ReasoningDelta]:
        """Give what no delta brought, and the thought with its seal; it must come back with both.

        Only the seal of the finished item counts. Source: openai-python, `ResponseReasoningItem`.
        """
        parts = objects(item.get("summary")) or objects(item.get("content"))
        whole = _GAP.join(text(part, "text") for part in parts)
        rest = "" if index in self._thoughts else whole
        seal = text(item, "encrypted_content") or None
        id = text(item, "id") or None
        thought = Reasoning(whole, seal, id, KIND, is_redacted=not whole) if seal else None
        if rest or thought is not None:
            yield ReasoningDelta(rest, thought)

    def _cite(self, place: tuple[int, int], note: Fields) -> None:
        """Positions count from the begin of their part; ours from that of the answer's text."""
        start = self._starts.get(place, self._length)
        has_place = "start_index" in note
        found = Citation(
            url=text(note, "url"),
            title=text(note, "title") or text(note, "filename"),
            start=start + count(note, "start_index") if has_place else None,
            end=start + count(note, "end_index") if has_place else None,
        )
        if found.url or found.title:
            self._citations.append(found)


def _place(said: Fields) -> tuple[int, int]:
    return count(said, "output_index"), count(said, "content_index")


def _usage(said: Fields, searches: int, server_calls: int) -> Usage:
    before, after = inner(said, "input_tokens_details"), inner(said, "output_tokens_details")
    return Usage(
        input_tokens=count(said, "input_tokens"),
        output_tokens=count(said, "output_tokens"),
        cache_read_tokens=count(before, "cached_tokens"),
        cache_write_tokens=count(before, "cache_write_tokens"),
        reasoning_tokens=count(after, "reasoning_tokens"),
        web_searches=searches,
        server_tool_calls=server_calls,
    )
