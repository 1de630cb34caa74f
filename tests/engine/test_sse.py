from __future__ import annotations

import random
from itertools import pairwise

import pytest

from providers.engine.errors import UpstreamGarbled
from providers.engine.sse import ServerEvent, SSEParser

BODY = (
    "\ufeff: a comment\r\n"
    'event: first\r\ndata: {"a":\r\ndata: 1}\r\n\r\n'
    "data:grüße, 世界\n\n"
    "id: 7\nretry: 10\nunknown\n\n"
    "event: empty\n\n"
    "data\ndata: x\n\n"
    "data:\n\n"
).encode()
EVENTS = [
    ServerEvent("first", b'{"a":\n1}'),
    ServerEvent("", "grüße, 世界".encode()),
    ServerEvent("", b"x"),
    ServerEvent("", b""),
]


def fed(chunks: list[bytes]) -> list[ServerEvent]:
    parser = SSEParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_comments_crlf_names_and_joined_data_are_read() -> None:
    assert fed([BODY]) == EVENTS


def test_a_body_byte_by_byte_gives_the_same_events() -> None:
    assert fed([BODY[place : place + 1] for place in range(len(BODY))]) == EVENTS


def test_any_split_gives_the_same_events() -> None:
    places = random.Random(7)
    for count in range(200):
        cuts = sorted(places.randrange(len(BODY)) for _ in range(count % 9))
        assert fed([BODY[a:b] for a, b in pairwise([0, *cuts, len(BODY)])]) == EVENTS


def test_a_frame_without_its_blank_line_is_told_at_the_end_only() -> None:
    parser = SSEParser()
    assert parser.feed(b"data: [DONE]") == []
    assert parser.end() == ServerEvent("", b"[DONE]")
    assert SSEParser().end() is None


@pytest.mark.parametrize("newline", [b"", b"\n"])
def test_a_line_may_not_grow_without_bound(newline: bytes) -> None:
    parser = SSEParser(most_bytes_a_line=100)
    parser.feed(b"data: ok" + newline)
    with pytest.raises(UpstreamGarbled):
        parser.feed(newline + b"x" * 200)
