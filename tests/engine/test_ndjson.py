from __future__ import annotations

import pytest

from providers.engine.errors import UpstreamGarbled
from providers.engine.ndjson import LineParser

BODY = '{"a": "世"}\r\n\n{"b": 1}\n{"c"'.encode()


def test_lines_are_the_same_however_they_are_cut() -> None:
    for size in range(1, len(BODY) + 1):
        parser = LineParser()
        pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]
        lines = [line for piece in pieces for line in parser.feed(piece)]
        assert lines == ['{"a": "世"}'.encode(), b'{"b": 1}']
        assert parser.end() == b'{"c"'


def test_a_line_without_an_end_does_not_fill_the_memory() -> None:
    parser = LineParser(most_bytes_a_line=8)
    parser.feed(b"12345678")
    with pytest.raises(UpstreamGarbled):
        parser.feed(b"9")
