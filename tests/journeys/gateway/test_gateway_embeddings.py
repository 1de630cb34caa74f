"""`POST /v1/embeddings` as OpenAI's SDK asks it, through a real server, of the built-in demo."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection
from openai import BadRequestError

from providers import catalog
from tests.journeys.gateway.world import PRICE, World, eventually


@pytest.fixture
def route(world: World) -> str:
    catalog.add_provider(name="demo-vectors", kind="demo")
    catalog.add_route(name="vectors", targets=["demo-vectors/demo"], prices=PRICE, max_output=100)
    connection.close()
    eventually(lambda: "vectors" in world.models())
    return "vectors"


def test_texts_become_vectors_in_their_order_with_usage_and_cost(world: World, route: str) -> None:
    texts = ["one text", "another, longer text"]
    raw = world.client().embeddings.with_raw_response.create(model=route, input=texts)
    found = raw.parse()
    assert [each.index for each in found.data] == [0, 1]
    assert {len(each.embedding) for each in found.data} == {256}
    assert found.usage.prompt_tokens == found.usage.total_tokens == 2 + 5
    assert raw.headers["x-gai-deployment"] == "demo-vectors/demo"
    assert float(raw.headers["x-gai-cost-usd"]) == pytest.approx(7e-6)
    ((_, status, _, tokens, _, _, cost),) = world.entries(1)
    assert (status, tokens, cost) == ("ok", 7, 7_000)
    world.settled()


def test_base64_which_the_sdk_asks_for_and_numbers_are_the_same(world: World, route: str) -> None:
    create: Any = world.client().embeddings.create
    packed = create(model=route, input="same", dimensions=16)
    plain = create(model=route, input="same", dimensions=16, encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)
    assert len(plain.data[0].embedding) == 16


def test_many_callers_at_once_each_get_their_own_and_the_books_agree(
    world: World, route: str
) -> None:
    client: Any = world.client()

    def ask(number: int) -> list[float]:
        answer = client.embeddings.create(model=route, input=f"text {number}", dimensions=8)
        return list(answer.data[0].embedding)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(ask, range(32)))
    assert found == [pytest.approx(ask(number)) for number in range(32)]
    assert len(world.entries(64)) == 64
    world.settled()


@pytest.mark.parametrize(
    ("body", "param", "words"),
    [
        ({"input": [1, 2]}, "input", "Arrays of tokens"),
        ({"input": [[1, 2]]}, "input", "Arrays of tokens"),
        ({"input": []}, "input", "empty"),
        ({"input": ["a", ""]}, "input.1", "empty"),
        ({"input": "a", "dimensions": 0}, "dimensions", "within"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format", "base64"),
    ],
)
def test_what_cannot_be_taken_is_refused_in_openais_shape(
    world: World, route: str, body: dict[str, Any], param: str, words: str
) -> None:
    create: Any = world.client().embeddings.create
    with pytest.raises(BadRequestError, match=words) as refused:
        create(model=route, **body)
    assert refused.value.param == param


def test_the_same_idempotency_key_gets_the_same_vectors_and_no_second_charge(
    world: World, route: str
) -> None:
    body: dict[str, Any] = {"model": route, "input": ["one", "two"]}

    def ask(**change: Any) -> Any:
        headers = {"idempotency-key": "vectors-7"}
        return world.post({**body, **change}, "/v1/embeddings", headers)

    first, second = ask(), ask()
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["x-gai-cost-usd"] == first.headers["x-gai-cost-usd"]
    assert ask(input="other").status_code == 422
    assert len(world.entries(1)) == 1
    too_long = world.post(body, "/v1/embeddings", {"idempotency-key": "x" * 256})
    assert (too_long.status_code, too_long.json()["error"]["param"]) == (400, "idempotency-key")
    world.settled()


def test_many_vectors_are_kept_under_a_key_and_too_many_free_it(world: World, route: str) -> None:
    def ask(texts: int, key: str) -> Any:
        body = {"model": route, "input": ["text"] * texts, "dimensions": 2048}
        return world.post(body, "/v1/embeddings", {"idempotency-key": key})

    # Over a megabyte of JSON, and over sixteen.
    first, second = ask(40, "many"), ask(40, "many")
    assert len(first.content) > 2**20
    assert second.headers["idempotent-replayed"] == "true"
    assert first.content == second.content
    for _ in range(2):
        answer = ask(500, "too many")
        assert len(answer.content) > 2**24
        assert (answer.status_code, answer.headers.get("idempotent-replayed")) == (200, None)
