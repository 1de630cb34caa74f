"""What callers see and pay when a provider fails, or when they leave."""

from __future__ import annotations

import threading
import time

import httpx
import openai
import pytest

from tests.journeys.gateway.world import OUT_NANO, World, eventually

HI = [{"role": "user", "content": "hi"}]


def test_after_a_503_the_second_deployment_answers_and_both_are_booked(world: World) -> None:
    route = world.route("503", "ok")
    raw = world.client(max_retries=0).chat.completions.with_raw_response.create(
        model=route, messages=HI, timeout=30
    )
    assert raw.headers["x-gai-fallback"] == "true"
    assert raw.headers["x-gai-deployment"].endswith("/ok")
    attempts = int(raw.headers["x-gai-attempts"])
    entries = world.entries(attempts)
    assert [entry[0] for entry in entries] == ["503"] * (attempts - 1) + ["ok"]
    assert {entry[1] for entry in entries[:-1]} == {"failed"}
    world.settled()


@pytest.mark.parametrize("fault", ["cut", "end", "error", "garbled"])
def test_a_stream_that_breaks_never_looks_like_a_clean_end(world: World, fault: str) -> None:
    route = world.route(fault)
    stream = world.client(max_retries=0).chat.completions.create(
        model=route, messages=HI, stream=True
    )
    chunks: list[openai.types.chat.ChatCompletionChunk] = []
    with pytest.raises(openai.APIError) as failure:
        chunks.extend(stream)
    assert any(chunk.choices[0].delta.content for chunk in chunks)
    assert failure.value.code
    world.settled()
    (model, status, error, _, output, is_estimated, cost), *_ = world.entries(1)
    assert (model, status, is_estimated) == (fault, "cut", True)
    assert error
    assert cost >= output * OUT_NANO > 0


def test_a_broken_stream_has_no_done(world: World) -> None:
    answer = world.post({"model": world.route("cut"), "messages": HI, "stream": True})
    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    assert '"error":{' in answer.text.strip().splitlines()[-1]


def test_a_hang_up_closes_the_upstream_and_pays_for_what_streamed(world: World) -> None:
    route = world.route("stall")
    stream = world.client().chat.completions.create(model=route, messages=HI, stream=True)
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    world.upstream.wait_until(open_now=1)
    stream.close()
    world.upstream.wait_until(open_now=0)
    world.settled()
    (_, status, _, _, _, is_estimated, cost), *_ = world.entries(1)
    assert (status, is_estimated) == ("cancelled", True)
    assert cost > 0


def test_a_hang_up_before_the_first_token_closes_the_upstream_too(world: World) -> None:
    route = world.route("hold")
    world.upstream.hold()
    leaving = threading.Thread(target=_ask_and_leave, args=(world, route))
    leaving.start()
    world.upstream.wait_until(open_now=1)
    leaving.join()
    world.upstream.wait_until(open_now=0)
    world.settled()


def _ask_and_leave(world: World, route: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        world.post({"model": route, "messages": HI, "stream": True}, timeout=0.5)


def test_the_server_outlives_callers_that_leave_in_a_crowd(world: World) -> None:
    route = world.route("stall")
    threads = [threading.Thread(target=_read_a_little, args=(world, route)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    world.upstream.wait_until(open_now=0)
    eventually(lambda: len(world.entries(10)) == 10)
    world.settled()


def _read_a_little(world: World, route: str) -> None:
    stream = world.client().chat.completions.create(model=route, messages=HI, stream=True)
    next(iter(stream))
    time.sleep(0.05)
    stream.close()
