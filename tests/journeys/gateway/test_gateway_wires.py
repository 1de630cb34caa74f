"""One endpoint of ours, every wire upstream: the official SDK sees no difference."""

from __future__ import annotations

import openai
import pytest

from providers.engine.routes import KINDS
from tests.journeys.gateway.world import IN_NANO, OUT_NANO, World
from tests.upstream import INPUT_TOKENS, TEXT

HI = [{"role": "user", "content": "hi"}]
WORDS = len(TEXT.split())
COST_NANO = INPUT_TOKENS * IN_NANO + WORDS * OUT_NANO
every_wire = pytest.mark.parametrize("kind", sorted(set(KINDS) - {"demo"}))


@every_wire
def test_a_plain_answer_and_a_stream_are_the_same_on_every_wire(world: World, kind: str) -> None:
    route = world.route("ok", kind=kind)
    client = world.client()
    plain = client.chat.completions.create(model=route, messages=HI)
    chunks = list(client.chat.completions.create(model=route, messages=HI, stream=True))
    streamed = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert plain.choices[0].message.content == streamed == TEXT
    assert plain.choices[0].finish_reason == chunks[-1].choices[0].finish_reason == "stop"
    booked = ("ok", "ok", "", INPUT_TOKENS, WORDS, False, COST_NANO)
    assert world.entries(2) == [booked, booked]
    assert [call.wire for call in world.upstream.calls[-2:]] == [kind, kind]


@every_wire
def test_a_stream_that_was_cut_is_never_a_clean_end_on_any_wire(world: World, kind: str) -> None:
    for word in ("cut", "end", "error", "garbled"):
        route = world.route(word, kind=kind)
        stream = world.client(max_retries=0).chat.completions.create(
            model=route, messages=HI, stream=True
        )
        with pytest.raises(openai.APIError):
            list(stream)
    world.settled()


@every_wire
def test_a_failure_before_the_first_word_falls_back_in_silence(world: World, kind: str) -> None:
    route = world.route("fox-503", "ok", kind=kind)
    raw = world.client().chat.completions.with_raw_response.create(model=route, messages=HI)
    assert raw.parse().choices[0].message.content == TEXT
    assert raw.headers["x-gai-fallback"] == "true"
