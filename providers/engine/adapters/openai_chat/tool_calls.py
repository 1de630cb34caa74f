"""Fragments of tool calls, whatever way a server numbers them, with indices counted from 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from providers.engine.events import ToolCallDelta, ToolCalled
from providers.engine.request import ToolCall


@dataclass(slots=True)
class _Growing:
    index: int
    id: str
    name: str
    arguments: list[str] = field(default_factory=list[str])


class ToolCalls:
    """Some servers give each call index 0 and a new id, some no index, some no id at all."""

    def __init__(self, request_id: UUID) -> None:
        self._request_id = request_id
        self._calls: list[_Growing] = []
        self._by_index: dict[int, _Growing] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, fragment: dict[str, Any]) -> ToolCallDelta:
        index = fragment.get("index")
        id = fragment.get("id") or None
        function = fragment.get("function")
        spoken = cast("dict[str, Any]", function) if isinstance(function, dict) else {}
        arguments = _text(spoken.get("arguments"))
        call = self._find(index, id, spoken.get("name"))
        is_new = call is None
        if call is None:
            call = self._begin(index, id, _text(spoken.get("name")))
        call.arguments.append(arguments)
        if is_new:
            return ToolCallDelta(call.index, arguments, id=call.id, name=call.name)
        return ToolCallDelta(call.index, arguments)

    def whole(self) -> Iterator[ToolCalled]:
        for call in self._calls:
            arguments = "".join(call.arguments)
            yield ToolCalled(call.index, ToolCall(call.id, call.name, arguments))

    def _find(self, index: object, id: object, name: object) -> _Growing | None:
        if id is not None:
            return next((call for call in self._calls if call.id == id), None)
        if isinstance(index, int):
            return self._by_index.get(index)
        # Neither index nor id: a name begins a call, anything else goes on with the last.
        return self._calls[-1] if self._calls and not name else None

    def _begin(self, index: object, id: object, name: str) -> _Growing:
        place = len(self._calls)
        # Kept stable for replay: the tool's result must name the same id.
        own_id = str(id) if id is not None else f"call_{self._request_id.hex[-12:]}_{place}"
        call = _Growing(place, own_id, name)
        self._calls.append(call)
        self._by_index[index if isinstance(index, int) else place] = call
        return call


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
