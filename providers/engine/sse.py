"""Bytes to server-sent events, however they are cut."""

from __future__ import annotations

from typing import NamedTuple

from providers.engine.errors import UpstreamGarbled

MOST_BYTES_A_LINE = 8 * 1024 * 1024
_BOM = b"\xef\xbb\xbf"


class ServerEvent(NamedTuple):
    """`name` is empty where the frame has none. `data` stays bytes: UTF-8 may be cut anywhere."""

    name: str
    data: bytes


class SSEParser:
    """Feed it chunks; it answers with the events that are complete.

    Lines end with LF or CRLF; comments and unknown fields are dropped. A bare CR is no line end:
    no provider sends it, and waiting for the LF that may follow would hold events back.
    Source: WHATWG HTML, 9.2.6 "Interpreting an event stream".
    """

    def __init__(self, most_bytes_a_line: int = MOST_BYTES_A_LINE) -> None:
        self._most = most_bytes_a_line
        self._rest = bytearray()
        self._name = ""
        self._data: list[bytes] = []
        self._begun = False

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """Raise UpstreamGarbled where a line outgrows its bound."""
        self._rest += chunk
        if b"\n" not in chunk:
            self._check_size()
            return []
        lines = bytes(self._rest).split(b"\n")
        self._rest = bytearray(lines.pop())
        self._check_size()
        if not self._begun:
            self._begun = True
            lines[0] = lines[0].removeprefix(_BOM)
        found: list[ServerEvent] = []
        for line in lines:
            self._take(line.removesuffix(b"\r"), found)
        return found

    def end(self) -> ServerEvent | None:
        """Answer the frame that lacks its closing blank line, if there is one."""
        self._take(bytes(self._rest).removesuffix(b"\r"), [])
        found: list[ServerEvent] = []
        self._take(b"", found)
        return found[0] if found else None

    def _take(self, line: bytes, found: list[ServerEvent]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line:
            if self._data:
                found.append(ServerEvent(self._name, b"\n".join(self._data)))
                self._data = []
            self._name = ""
        elif line.startswith(b"event:"):
            self._name = line[6:].strip().decode("ascii", "replace")

    def _check_size(self) -> None:
        if len(self._rest) > self._most:
            raise UpstreamGarbled(f"It sent a line of more than {self._most:,} bytes.")
