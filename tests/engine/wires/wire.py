from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from providers.engine.events import ToolCalled
from providers.engine.request import ToolCall
from providers.engine.usage import Usage

SECRET = "sk-very-secret"
CALLS = [
    ToolCalled(0, ToolCall("call_a", "look", '{"at": "sky"}')),
    ToolCalled(1, ToolCall("call_b", "wait", "{}")),
]
USAGE = Usage(input_tokens=30, output_tokens=12, cache_read_tokens=20)


@dataclass(frozen=True)
class Wire:
    """One wire's way to say the same answer: a thought, `Hello, 世界`, two tool calls.

    `stream` in pieces that are whole frames, the last of them the terminal one. `unknown` is a
    frame of a kind that nobody knows, `limit` the path of the output's bound in a body. `errors`
    makes a failure of a word (`context`, `quota` or none) and a status. `is_lines`: it speaks
    NDJSON, not SSE. `is_raw`: bodies of this wire come to us from callers as well. `caches`: it
    tells what of the prompt it had in its cache.
    """

    kind: str
    stream: Sequence[bytes]
    plain: bytes
    unknown: bytes
    limit: str
    errors: Callable[[str, int], dict[str, Any]]
    is_lines: bool = False
    is_raw: bool = False
    caches: bool = True

    @property
    def usage(self) -> Usage:
        return USAGE if self.caches else replace(USAGE, cache_read_tokens=0)

    def frame(self, data: str) -> bytes:
        return f"{data}\n".encode() if self.is_lines else f"data: {data}\n\n".encode()

    def limit_in(self, body: dict[str, Any]) -> Any:
        found: Any = body
        for name in self.limit.split("."):
            found = found[name]
        return found
