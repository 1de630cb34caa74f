"""A team's content filters, as its applications meet them through the gateway."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest
from django.db import connection

from providers.engine.policy import AfterHangUp, FilterMode, Policy
from providers.policies import kept
from tests.journeys.gateway.world import World, eventually

MAIL = "alice@example.com"
CARD = "4111 1111 1111 1111"


def asks(text: str) -> list[Any]:
    return [{"role": "user", "content": text, "name": "app"}]


def put_in_force(world: World, policy: Policy, route: str) -> None:
    """Wait until the other process follows: a prompt of the policy is treated by it."""
    kept.save(world.team, policy, world.user)
    connection.close()
    probe = {"model": route, "messages": asks("probe@example.com")}

    def follows() -> bool:
        answer = world.post(probe)
        return answer.status_code == 400 or "[EMAIL" in str(world.upstream.calls[-1].body)

    eventually(follows)


def test_a_redacted_prompt_leaves_with_placeholders_and_its_unknown_fields(world: World) -> None:
    route = world.route("ok")
    put_in_force(world, Policy(pii_input=FilterMode.REDACT), route)
    body = {"model": route, "messages": asks(f"I am {MAIL}, card {CARD}"), "custom": {"a": MAIL}}
    assert world.post(body).status_code == 200
    sent = world.upstream.calls[-1].body
    assert sent["messages"] == asks("I am [EMAIL_REDACTED], card [CREDIT_CARD_REDACTED]")
    assert sent["custom"] == {"a": "[EMAIL_REDACTED]"}


def test_a_blocked_prompt_is_refused_with_the_way_out_and_costs_nothing(world: World) -> None:
    route = world.route("ok")
    put_in_force(world, Policy(pii_input=FilterMode.BLOCK), route)
    before = len(world.upstream.calls)
    with pytest.raises(openai.BadRequestError) as caught:
        world.client().chat.completions.create(model=route, messages=asks(f"I am {MAIL}"))
    assert caught.value.code == "content_filter"
    assert "messages.0.content" in caught.value.message
    assert MAIL not in str(caught.value.body)
    assert len(world.upstream.calls) == before
    assert caught.value.response.headers["x-should-retry"] == "false"
    world.settled()


def test_a_streamed_answer_is_redacted_across_its_pieces(world: World) -> None:
    route = world.route("ok")
    both = Policy(pii_input=FilterMode.REDACT, pii_output=FilterMode.REDACT)
    put_in_force(world, both, route)
    world.upstream.text = f"Write to {MAIL} or pay with {CARD} today."
    stream = world.client().chat.completions.create(model=route, messages=asks("hi"), stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert text == "Write to [EMAIL_REDACTED] or pay with [CREDIT_CARD_REDACTED] today."


def test_a_streamed_answer_that_is_blocked_ends_with_content_filter(world: World) -> None:
    route = world.route("ok")
    both = Policy(pii_input=FilterMode.REDACT, pii_output=FilterMode.BLOCK)
    put_in_force(world, both, route)
    world.upstream.text = f"All is well but write to {MAIL} today."
    stream = world.client().chat.completions.create(model=route, messages=asks("hi"), stream=True)
    chunks = [chunk.choices[0] for chunk in stream if chunk.choices]
    text = "".join(choice.delta.content or "" for choice in chunks)
    assert text.startswith("All is well")
    assert "alice" not in text
    assert chunks[-1].finish_reason == "content_filter"
    world.settled()


def test_an_answer_whose_caller_hung_up_is_read_to_its_end_where_the_team_wants_it(
    world: World,
) -> None:
    drained = Policy(pii_input=FilterMode.REDACT, hang_up=AfterHangUp.DRAIN)
    put_in_force(world, drained, world.route("ok"))
    client = world.client()
    stream = client.chat.completions.create(
        model=world.route("held"), messages=asks("hi"), stream=True
    )
    next(chunk for chunk in stream if chunk.choices[0].delta.content)
    world.upstream.wait_until(open_now=1)
    receipt = stream.response.headers["x-gai-receipt"]
    stream.close()
    # One loop serves both: when this is answered, it has seen that nobody listens there.
    client.models.list()
    assert world.upstream.open_now == 1
    world.upstream.release()

    def entry() -> tuple[Any, ...] | None:
        return next((found for found in world.entries(2) if found[0] == "held"), None)

    _, status, _, _, _, is_estimated, cost = eventually(entry)
    assert (status, is_estimated) == ("drained", False)
    assert cost > 0
    world.settled()
    sent = {"authorization": f"Bearer {world.secret}"}
    with httpx.Client(trust_env=False) as http:
        told = http.get(world.server.url + receipt, headers=sent).json()
    assert [attempt["status"] for attempt in told["attempts"]] == ["drained"]
    assert told["is_estimated"] is False
