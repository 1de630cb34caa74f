"""The blocks of an answer, one after the other: text with sources, thoughts with seals, calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import orjson

from providers.engine.adapters.anthropic_messages.encode import KIND
from providers.engine.events import (
    Citation,
    Citations,
    Event,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
)
from providers.engine.json_fields import Fields, inner, objects, text
from providers.engine.request import Reasoning, ToolCall


@dataclass(slots=True)
class _Thought:
    texts: list[str] = field(default_factory=list[str])
    signature: str = ""


@dataclass(slots=True)
class _ToolUse:
    index: int
    id: str
    name: str
    arguments: list[str] = field(default_factory=list[str])


class Blocks:
    """Kept by the wire's index, which counts every block; indices of calls count calls only.

    Tools that run at the provider's are no calls of ours; what they found is in the text. Unknown
    blocks and deltas are passed over.
    """

    def __init__(self) -> None:
        self._calls: dict[int, _ToolUse] = {}
        self._thoughts: dict[int, _Thought] = {}

    @property
    def has_calls(self) -> bool:
        return bool(self._calls)

    def start(self, index: int, block: Fields) -> Iterator[Event]:
        match block.get("type"):
            case "text":
                if block.get("text"):
                    yield TextDelta(text(block, "text"))
                yield from _cited(objects(block.get("citations")))
            case "thinking":
                thought = self._thoughts[index] = _Thought()
                thought.signature = text(block, "signature")
                yield from self._think(thought, text(block, "thinking"))
            case "redacted_thinking":
                sealed = Reasoning("", text(block, "data"), wire=KIND, is_redacted=True)
                yield ReasoningDelta("", sealed)
            case "tool_use":
                yield self._begin_call(index, block)
            case _:
                return

    def grow(self, index: int, delta: Fields) -> Iterator[Event]:
        match delta.get("type"):
            case "text_delta":
                words = text(delta, "text")
                if words:
                    yield TextDelta(words)
            case "thinking_delta" if index in self._thoughts:
                yield from self._think(self._thoughts[index], text(delta, "thinking"))
            case "signature_delta" if index in self._thoughts:
                self._thoughts[index].signature += text(delta, "signature")
            case "input_json_delta" if index in self._calls:
                call = self._calls[index]
                fragment = text(delta, "partial_json")
                call.arguments.append(fragment)
                yield ToolCallDelta(call.index, fragment)
            case "citations_delta":
                yield from _cited([inner(delta, "citation")])
            case _:
                return

    def stop(self, index: int) -> Iterator[Event]:
        """End a thought with the whole of it; a seal without words counts as well."""
        thought = self._thoughts.pop(index, None)
        if thought is not None and (thought.signature or thought.texts):
            whole = "".join(thought.texts)
            yield ReasoningDelta("", Reasoning(whole, thought.signature or None, wire=KIND))

    def end(self) -> Iterator[Event]:
        for index in list(self._thoughts):
            yield from self.stop(index)
        for call in self._calls.values():
            arguments = "".join(call.arguments) or "{}"
            yield ToolCalled(call.index, ToolCall(call.id, call.name, arguments))

    def _think(self, thought: _Thought, words: str) -> Iterator[Event]:
        if words:
            thought.texts.append(words)
            yield ReasoningDelta(words)

    def _begin_call(self, index: int, block: Fields) -> ToolCallDelta:
        call = _ToolUse(len(self._calls), text(block, "id"), text(block, "name"))
        self._calls[index] = call
        # A stream sends an empty object here and the real one in fragments.
        given = block.get("input")
        arguments = orjson.dumps(given).decode() if given else ""
        call.arguments.append(arguments)
        return ToolCallDelta(call.index, arguments, id=call.id, name=call.name)


def _cited(citations: list[Fields]) -> Iterator[Citations]:
    """Read the sources of a text. Their places are in the source, not in the answer."""
    found = tuple(
        Citation(
            url=text(each, "url") or text(each, "source"),
            title=text(each, "title") or text(each, "document_title"),
            quoted=text(each, "cited_text"),
        )
        for each in citations
        if each
    )
    if found:
        yield Citations(found)
