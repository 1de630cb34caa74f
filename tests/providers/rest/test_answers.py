"""`POST /api/v1/answers` over the built-in demo: whole, in SSE and in NDJSON, with tools."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import fields
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import AsyncClient

from providers import catalog, gateway, virtual_keys
from providers.engine.call import Caller, Source
from providers.engine.request import (
    AllOf,
    AnyOf,
    CompletionRequest,
    CostLimit,
    MaxSteps,
    Message,
    Role,
    TextMatch,
    TimeLimit,
    TokenLimit,
    UntilTool,
)
from providers.engine.usage import Usage
from providers.ledger import budgets, check
from providers.models import Entry, Membership, Team, TeamRole, User
from providers.rest.asked import StopIn
from providers.rest.streamed import Streamed

ASK: dict[str, Any] = {
    "model": "tools",
    "messages": [{"role": "user", "content": "What is 6 * 7?"}],
    "tools": ["calculator"],
}
THINGS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
OWN_TOOL = {"name": "send_mail", "parameters": {"type": "object"}}


@pytest.fixture
def team(transactional_db: None) -> Team:
    return Team.objects.create(name="Scripts", slug="scripts")


@pytest.fixture
def ada(team: Team) -> User:
    user = User.objects.create_user("ada@example.org", "a long pass phrase", active_team=team)
    Membership.objects.create(team=team, user=user, role=TeamRole.MEMBER)
    return user


@pytest.fixture
def key(ada: User, team: Team) -> str:
    catalog.add_provider(name="demo", kind="demo")
    price = catalog.OwnPrice(Decimal(1), Decimal(2))
    for model in ("demo", "demo-tools", "demo-json", "demo-503", "demo-cut"):
        name = model.removeprefix("demo-")
        catalog.add_route(name=name, targets=[f"demo/{model}"], prices=price, max_output=100)
    return virtual_keys.issue(user=ada, team=team, name="scripts")[1]


@pytest.fixture(autouse=True)
async def _own_engine(transactional_db: None) -> AsyncIterator[None]:
    yield
    await gateway.stop()


async def post(key: str | None, body: dict[str, Any], accept: str = "", **more: Any) -> Any:
    headers = {"accept": accept or "application/json", **more}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    return await AsyncClient().post(
        "/api/v1/answers", json.dumps(body), content_type="application/json", headers=headers
    )


async def streamed(answer: Any) -> str:
    return b"".join([chunk async for chunk in answer.streaming_content]).decode()


async def test_a_whole_answer_has_its_steps_tools_usage_and_cost(key: str) -> None:
    answer = await post(key, {**ASK, "metadata": {"ticket": "7"}})
    told = answer.json()
    assert answer.status_code == 200, told
    assert told["metadata"] == {"ticket": "7"}
    first, second = told["steps"]
    assert [call["name"] for call in first["tool_calls"]] == ["calculator"]
    assert first["tool_results"][0]["call_id"] == first["tool_calls"][0]["id"]
    assert not first["tool_results"][0]["is_error"]
    assert (first["finish_reason"], second["finish_reason"]) == ("tool_calls", "stop")
    assert told["text"] == second["text"] != ""
    assert told["stopped_by"] == "The model called no more tools."
    assert (told["provider"], told["deployment"]) == ("demo", "demo/demo-tools")
    costs = [Decimal(step["cost_usd"]) for step in (first, second)]
    assert Decimal(told["cost_usd"]) == sum(costs) > 0
    assert told["usage"]["input_tokens"] == sum(
        step["usage"]["input_tokens"] for step in (first, second)
    )
    assert [attempt["status"] for attempt in told["attempts"]] == ["ok", "ok"]


async def test_every_bucket_of_usage_is_told_and_which_of_it_was_estimated(key: str) -> None:
    told = (await post(key, ASK)).json()
    buckets = {each.name for each in fields(Usage)}
    assert set(told["usage"]) == set(told["steps"][0]["usage"]) == buckets


async def test_the_books_hold_what_the_answer_says_it_cost(key: str) -> None:
    told = (await post(key, ASK)).json()

    def booked() -> tuple[int, bool]:
        costs = [entry.cost_nano or 0 for entry in Entry.objects.all()]
        return sum(costs), check.run().is_clean

    assert await sync_to_async(booked)() == (int(Decimal(told["cost_usd"]) * 10**9), True)


async def test_an_answers_parts_can_be_sent_back_as_a_message(key: str) -> None:
    told = (await post(key, ASK)).json()
    said = [part for part in told["parts"] if part["type"] != "tool_result"]
    results = [part for part in told["parts"] if part["type"] == "tool_result"]
    again = [
        *ASK["messages"],
        {"role": "assistant", "content": [p for p in said if p["type"] == "tool_call"]},
        {"role": "tool", "content": results},
        {"role": "assistant", "content": told["text"]},
        {"role": "user", "content": [{"type": "text", "text": "Thanks."}]},
    ]
    assert (await post(key, {"model": "demo", "messages": again})).status_code == 200


async def test_server_sent_events_carry_the_records_and_end_once(key: str) -> None:
    answer = await post(key, ASK, "text/event-stream")
    assert answer.headers["content-type"] == "text/event-stream"
    frames = (await streamed(answer)).strip().split("\n\n")
    found = [json.loads(frame.partition("data: ")[2]) for frame in frames]
    assert [frame.split("\n")[0] for frame in frames] == [
        f"id: {record['seq']}" for record in found
    ]
    kinds = [record["type"] for record in found]
    assert kinds[0] == "start"
    assert kinds.count("step.end") == 2
    assert "tool.result" in kinds
    assert kinds[-2:] == ["usage", "finish"]
    assert {record["request_id"] for record in found} == {found[0]["request_id"]}
    assert found[-2]["cost_usd"] is not None


async def test_ndjson_has_one_record_a_line(key: str) -> None:
    answer = await post(key, ASK, "application/x-ndjson")
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = [json.loads(line) for line in (await streamed(answer)).splitlines()]
    assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
    assert found[-1]["type"] == "finish"


@pytest.mark.parametrize("trace", ["4bf92f3577b34da6a3ce929d0e0e4736", "", "0" * 32])
async def test_events_name_the_callers_own_trace_or_the_requests(key: str, trace: str) -> None:
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    answer = await post(
        key, {**ASK, "model": "demo", "tools": []}, "application/x-ndjson", **headers
    )
    found = [json.loads(line) for line in (await streamed(answer)).splitlines()]
    own = found[0]["request_id"].replace("-", "")
    assert {record["trace_id"] for record in found} == {trace if trace.strip("0") else own}


async def test_a_stream_that_breaks_ends_with_an_error_record(key: str) -> None:
    answer = await post(key, {**ASK, "model": "cut", "tools": []}, "application/x-ndjson")
    found = [json.loads(line) for line in (await streamed(answer)).splitlines()]
    assert (found[-1]["type"], found[-1]["kind"]) == ("error", "stream_cut")
    assert "finish" not in {record["type"] for record in found}


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_refusal_has_a_real_status_also_for_a_stream(key: str, accept: str) -> None:
    scope = budgets.parse_scope("org")
    await sync_to_async(budgets.set_budget)(
        scope=scope, limit_usd=Decimal("0.000001"), period="total", is_hard=True
    )
    answer = await post(key, ASK, accept)
    assert answer.status_code == 429
    assert answer.json()["error"]["code"] == "QUOTA_EXCEEDED"
    assert answer.headers["x-request-id"]


async def test_a_tool_of_the_callers_own_ends_the_answer_with_its_call(key: str) -> None:
    body = {**ASK, "tools": [OWN_TOOL], "tool_choice": "send_mail"}
    told = (await post(key, body)).json()
    assert told["finish_reason"] == "tool_calls"
    assert told["stopped_by"] == "The caller runs send_mail."
    assert told["parts"][-1]["name"] == "send_mail"


async def test_structured_output_is_checked_and_told(key: str) -> None:
    body = {**ASK, "model": "json", "tools": [], "response_schema": {"schema": THINGS}}
    told = (await post(key, body)).json()
    assert isinstance(json.loads(told["text"])["n"], int)
    assert [notice["kind"] for notice in told["notices"]] == ["structured"]


@pytest.mark.parametrize(
    ("stop_when", "words"),
    [
        ({"max_steps": 1}, "It took one step, the most allowed."),
        ({"until_tool": "calculator"}, "calculator"),
        ({"seconds": 0.000001}, "second"),
        ({"tokens": 1}, "token"),
        ({"combine": "all", "max_steps": 1, "until_tool": "calculator"}, "calculator"),
    ],
    ids=lambda value: "+".join(value) if isinstance(value, dict) else "",
)
async def test_every_stop_condition_ends_a_run_and_says_why(
    key: str, stop_when: dict[str, Any], words: str
) -> None:
    told = (await post(key, {**ASK, "stop_when": stop_when})).json()
    assert words in told["stopped_by"], told
    assert len(told["steps"]) == 1


async def test_a_cost_limit_of_one_step_begins_no_second(key: str) -> None:
    refused = await post(key, {**ASK, "stop_when": {"cost_usd": "0.000000001"}})
    (worst,) = re.findall(r"up to \$([\d.]+),", refused.json()["error"]["message"])
    told = (await post(key, {**ASK, "stop_when": {"cost_usd": worst}})).json()
    assert len(told["steps"]) == 1
    assert "cost" in told["stopped_by"]
    assert Decimal(told["cost_usd"]) <= Decimal(worst)


def test_every_condition_that_may_be_sent_reaches_the_engine() -> None:
    sent = StopIn(max_steps=1, until_tool="a", text="b", cost_usd=Decimal(1), seconds=2, tokens=3)
    conditions = (
        MaxSteps(1),
        UntilTool("a"),
        TextMatch("b"),
        CostLimit(10**9),
        TimeLimit(2),
        TokenLimit(3),
    )
    assert sent.to_engine() == AnyOf(conditions)
    assert sent.model_copy(update={"combine": "all"}).to_engine() == AllOf(conditions)


async def test_conditions_that_must_all_hold_wait_for_the_last(key: str) -> None:
    stop_when = {"combine": "all", "max_steps": 1, "text": "never said"}
    told = (await post(key, {**ASK, "stop_when": stop_when})).json()
    assert told["stopped_by"] == "The model called no more tools."


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tools": ["shell"]}, "no tool 'shell'"),
        ({"tools": [{**OWN_TOOL, "parameters": {"type": "x"}}]}, "tools.send_mail.parameters"),
        ({"response_schema": {"schema": {"$ref": "http://x"}}}, "response_schema.schema"),
        ({"stop_when": {"cost_usd": "0.000000001"}}, "One step may cost up to"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user", "content": [{"type": "film"}]}]}, "messages.0.content.0"),
        ({"temprature": 1}, "temprature"),
        ({"temperature": 9}, "temperature"),
    ],
)
async def test_a_faulty_field_is_named(key: str, change: dict[str, Any], words: str) -> None:
    answer = await post(key, {**ASK, **change})
    assert answer.status_code == 400
    assert words in answer.json()["error"]["message"]


async def test_an_unknown_model_is_not_found(key: str) -> None:
    assert (await post(key, {**ASK, "model": "nope"})).status_code == 404


@pytest.mark.parametrize("secret", [None, "nonsense", "gai_" + "x" * 43])
async def test_nobody_asks_without_a_key(key: str, secret: str | None) -> None:
    assert (await post(secret, ASK)).status_code == 401


async def test_a_session_asks_too_but_not_from_another_sites_form(key: str, ada: User) -> None:
    client = AsyncClient(enforce_csrf_checks=True)
    await sync_to_async(client.force_login)(ada)
    body = json.dumps({**ASK, "model": "demo", "tools": []})
    forged = await client.post("/api/v1/answers", body, content_type="application/json")
    assert forged.status_code == 403
    assert "X-CSRFToken" in forged.json()["error"]["message"]
    token = "a" * 32
    client.cookies[settings.CSRF_COOKIE_NAME] = token
    good = await client.post(
        "/api/v1/answers", body, content_type="application/json", headers={"x-csrftoken": token}
    )
    assert good.status_code == 200, good.content


async def test_a_viewer_may_not_spend(key: str, ada: User) -> None:
    await Membership.objects.aupdate(role=TeamRole.VIEWER)
    client = AsyncClient()
    await sync_to_async(client.force_login)(ada)
    answer = await client.post("/api/v1/answers", json.dumps(ASK), content_type="application/json")
    assert answer.status_code == 403


async def test_a_stream_pings_while_its_answer_has_not_begun_and_refusals_end_it(
    key: str, ada: User, team: Team
) -> None:
    ticks = iter([0.0])

    async def sleep(_: float) -> None:
        if next(ticks, None) is None:
            await asyncio.Event().wait()

    caller = Caller(Source.GATEWAY, user_id=ada.pk, team_id=team.pk)
    for route, last in (("demo", "finish"), ("nope", "error")):
        ticks = iter([0.0])
        wanted = CompletionRequest(uuid4(), route, (Message.of(Role.USER, "hi"),))
        answer = await Streamed(wanted, caller, sleep).response()
        ping, *frames = (await streamed(answer)).strip().split("\n\n")
        assert ping == ": ping"
        assert f"event: {last}" in frames[-1]
    assert json.loads(frames[-1].partition("data: ")[2])["code"] == "VALIDATION_ERROR"


async def test_who_hangs_up_leaves_nothing_open(key: str) -> None:
    answer = await post(key, {**ASK, "model": "demo", "tools": []}, "text/event-stream")
    frames = aiter(answer)
    await anext(frames)
    await frames.aclose()
    await gateway.stop()
    assert (await sync_to_async(check.run)()).is_clean


async def test_the_tools_that_one_may_name_are_listed(key: str) -> None:
    answer = await AsyncClient().get("/api/v1/tools", headers={"authorization": f"Bearer {key}"})
    told = {tool["name"]: tool for tool in answer.json()["tools"]}
    assert {"calculator", "current_time"} <= set(told)
    assert "expression" in told["calculator"]["parameters"]["properties"]
