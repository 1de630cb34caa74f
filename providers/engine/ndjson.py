"""Bytes to lines of JSON, however they are cut."""

from __future__ import annotations

from providers.engine.errors import UpstreamGarbled
from providers.engine.sse import MOST_BYTES_A_LINE


class LineParser:
    """Feed it chunks; it answers with the lines that are complete, without their ends.

    Empty lines are dropped. Source: ndjson-spec, 3.1: LF ends a line, CR before it is white space.
    """

    def __init__(self, most_bytes_a_line: int = MOST_BYTES_A_LINE) -> None:
        self._most = most_bytes_a_line
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """Raise UpstreamGarbled where a line outgrows its bound."""
        self._rest += chunk
        lines: list[bytes] = []
        if b"\n" in chunk:
            lines = bytes(self._rest).split(b"\n")
            self._rest = bytearray(lines.pop())
        if len(self._rest) > self._most:
            raise UpstreamGarbled(f"It sent a line of more than {self._most:,} bytes.")
        return [stripped for line in lines if (stripped := line.strip())]

    def end(self) -> bytes:
        """Answer the line that lacks its end; empty where there is none."""
        return bytes(self._rest).strip()
