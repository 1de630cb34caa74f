"""Plain answers, streams and refusals, as the official SDK sees them."""

from __future__ import annotations

from contextlib import closing
from decimal import Decimal
from http.client import HTTPConnection

import httpx
import openai
import pytest
from django.db import connection

from providers import virtual_keys
from tests.journeys.gateway.world import IN_NANO, OUT_NANO, World, eventually
from tests.upstream import INPUT_TOKENS, TEXT

HI = [{"role": "user", "content": "hi"}]
WORDS = len(TEXT.split())
COST_NANO = INPUT_TOKENS * IN_NANO + WORDS * OUT_NANO


def test_a_plain_answer_tells_its_cost_and_who_gave_it(world: World) -> None:
    route = world.route("ok")
    raw = world.client().chat.completions.with_raw_response.create(model=route, messages=HI)
    answer = raw.parse()
    assert answer.choices[0].message.content == TEXT
    assert answer.model == route
    assert answer.usage is not None
    assert answer.usage.total_tokens == INPUT_TOKENS + WORDS
    assert Decimal(raw.headers["x-gai-cost-usd"]) == Decimal(COST_NANO) / 10**9
    assert raw.headers["x-gai-attempts"] == "1"
    assert raw.headers["x-gai-fallback"] == "false"
    assert raw.headers["x-request-id"]
    assert "127.0.0.1" not in str(raw.headers)
    assert world.entries(1) == [("ok", "ok", "", INPUT_TOKENS, WORDS, False, COST_NANO)]


def test_a_stream_joins_to_the_text_and_ends_with_its_usage(world: World) -> None:
    route = world.route("ok")
    stream = world.client().chat.completions.create(
        model=route, messages=HI, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == TEXT
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {
        (chunks[0].id, chunks[0].created, route)
    }
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == WORDS
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
    # The last chunk comes after the settlement.
    assert world.spent_nano() == COST_NANO


def test_nobody_gets_a_usage_chunk_who_did_not_ask(world: World) -> None:
    stream = world.client().chat.completions.create(
        model=world.route("ok"), messages=HI, stream=True
    )
    assert all(chunk.choices and chunk.usage is None for chunk in stream)


def test_a_wrong_key_is_an_authentication_error(world: World) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        world.client(api_key="gai_" + "x" * 43).chat.completions.create(model="m", messages=HI)
    assert refused.value.code == "invalid_api_key"
    assert refused.value.request_id


def test_a_revoked_key_is_refused_at_once(world: World) -> None:
    world.models()
    virtual_keys.revoke(world.key)
    connection.close()

    def is_refused() -> bool:
        try:
            world.models()
        except openai.AuthenticationError:
            return True
        return False

    eventually(is_refused, 2)


def test_an_unknown_model_is_not_found_and_not_retried(world: World) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        world.client().chat.completions.create(model="nothing-like-it", messages=HI)
    assert refused.value.code == "model_not_found"
    assert refused.value.response.headers["x-should-retry"] == "false"


def test_a_model_is_shown_by_its_name(world: World) -> None:
    route = world.route("ok")
    assert world.client().models.retrieve(route).id == route
    with pytest.raises(openai.NotFoundError):
        world.client().models.retrieve("nothing-like-it")


@pytest.mark.parametrize(
    ("fields", "param"),
    [({"temperature": 9}, "temperature"), ({"messages": []}, "messages"), ({"n": 2}, "n")],
)
def test_a_fault_of_the_callers_is_a_bad_request(
    world: World, fields: dict[str, object], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        world.client().chat.completions.create(**{
            "model": world.route("ok"),
            "messages": HI,
            **fields,
        })  # type: ignore[call-overload]
    assert refused.value.param == param
    assert not world.upstream.calls


def test_malformed_json_is_a_bad_request_in_the_same_shape(world: World) -> None:
    answer = world.post(content=b"{")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"]


def test_a_body_too_large_is_refused_before_it_is_read(world: World) -> None:
    with closing(HTTPConnection(world.server.url.removeprefix("http://"))) as http:
        http.putrequest("POST", "/v1/chat/completions")
        http.putheader("authorization", f"Bearer {world.secret}")
        http.putheader("content-length", "99999999")
        http.endheaders()
        answer = http.getresponse()
        assert answer.status == 413
        assert b"KiB" in answer.read()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/models", 405),
        ("GET", "/v1/nothing", 404),
    ],
)
def test_other_addresses_are_refused_in_the_same_shape(
    world: World, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, world.server.url + path, trust_env=False)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]
    assert answer.headers["x-request-id"]


def test_a_browser_may_call_from_another_origin(world: World) -> None:
    answer = httpx.options(
        world.server.url + "/v1/chat/completions",
        headers={
            "origin": "https://app.example",
            "access-control-request-headers": "authorization,x-stainless-lang",
        },
        trust_env=False,
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-stainless-lang" in answer.headers["access-control-allow-headers"]
    assert "x-gai-cost-usd" in answer.headers["access-control-expose-headers"]


def test_a_spent_budget_is_a_quota_error_without_retries(world: World) -> None:
    route = world.route("ok")
    world.budget(Decimal("0.000001"))
    with pytest.raises(openai.RateLimitError) as refused:
        world.client(max_retries=2).chat.completions.create(model=route, messages=HI)
    assert refused.value.code == "insufficient_quota"
    assert refused.value.response.headers["x-should-retry"] == "false"
    assert not world.upstream.calls
    rows = world.books.execute(
        "SELECT count(*) FROM providers_reservation WHERE key_id = %s", [world.key.pk]
    ).fetchone()
    assert rows == (0,)


def test_an_unpriced_route_is_refused_under_a_hard_budget(world: World) -> None:
    route = world.route("unheard-of-ok", priced=False)
    world.budget(Decimal(1))
    with pytest.raises(openai.BadRequestError) as refused:
        world.client().chat.completions.create(model=route, messages=HI)
    assert refused.value.code == "unpriced"


def test_neither_the_providers_key_nor_the_prompt_comes_out(world: World) -> None:
    route = world.route("401")
    prompt = [{"role": "user", "content": "canary of a prompt"}]
    answer = world.post({"model": route, "messages": prompt})
    assert answer.status_code == 502
    assert "canary" not in answer.text + str(answer.headers)
    assert "canary" not in world.server.log.read_text()
    assert world.upstream.calls[0].headers["Authorization"] == "Bearer sk-canary-of-the-provider"
