"""Which tools there are for whom, and that each kind does what it says."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from providers import audit
from providers.engine.call import Caller, Source
from providers.engine.request import ToolCall
from providers.engine.tools import Ran, Runner, ToolStatus
from providers.engine.upstream import Upstream
from providers.models import AuditEntry, Team, Tool, ToolKind, User
from providers.tools import kept, rows, snapshot
from providers.tools.kept import Audience, Draft, ToolRefused
from providers.tools.snapshot import Means
from providers.tools.toolbox import Toolbox
from tests.providers.people.conftest import World, world

__all__ = ["world"]

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
NOBODY = Audience(for_everybody=False, teams=(), users=())
HTTPS = {"url": "https://tools.example.com/weather?v=2", "header": "X-Key"}
MOCK: dict[str, Any] = {"result": "unknown", "cases": [], "error": "", "delay_s": 0}


def a_draft(**fields: Any) -> Draft:
    values: dict[str, Any] = {
        "description": "Tell the weather.",
        "audience": NOBODY,
        "parameters": SCHEMA,
        "facts": MOCK,
    }
    return Draft(**{**values, **fields})


def a_tool(by: User, name: str = "weather", **fields: Any) -> Tool:
    return kept.make(by, name, fields.pop("kind", ToolKind.MOCK), a_draft(**fields))


def a_toolbox(answer: httpx.Response | None = None, seen: list[Any] | None = None) -> Toolbox:
    def respond(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        return answer or httpx.Response(200, text="19 °C")

    pool: Any = None
    box = Toolbox(Means(Upstream(transport=httpx.MockTransport(respond)), pool))
    box.publish(snapshot.read())
    return box


def caller(user: User, team: Team) -> Caller:
    return Caller(Source.GATEWAY, user_id=user.pk, team_id=team.pk)


async def run(box: Toolbox, tool: Tool, arguments: str = '{"city": "Paris"}') -> Ran:
    made = box.made_of(tool)
    return await Runner(lambda: 0.0).run(ToolCall("1", made.name, arguments), {made.name: made})


def test_built_in_tools_are_everybodys_until_somebody_says_otherwise(world: World) -> None:
    asking = caller(world.mia, world.search)
    assert {"calculator", "current_time"} <= set(a_toolbox().allowed_to(asking))
    kept.ensure_built_in()
    calculator = Tool.objects.get(name="calculator")
    kept.change(world.ada, calculator, Draft("", NOBODY))
    assert "calculator" not in a_toolbox().allowed_to(asking)
    kept.change(world.ada, calculator, Draft("", Audience(False, [world.search], [])))
    assert "calculator" in a_toolbox().allowed_to(asking)


@pytest.mark.parametrize(
    ("teams", "users", "mia", "cleo"),
    [
        ([], [], False, False),
        (["search"], [], True, False),
        ([], ["cleo"], False, True),
        (["search"], ["cleo"], True, True),
    ],
)
def test_a_tool_is_for_the_teams_and_people_it_was_given_to(
    world: World, teams: list[str], users: list[str], mia: bool, cleo: bool
) -> None:
    audience = Audience(
        for_everybody=False,
        teams=[getattr(world, each) for each in teams],
        users=[getattr(world, each) for each in users],
    )
    a_tool(world.ada, audience=audience)
    box = a_toolbox()
    assert ("weather" in box.allowed_to(caller(world.mia, world.search))) is mia
    assert ("weather" in box.allowed_to(caller(world.cleo, world.billing))) is cleo


def test_a_tool_that_is_switched_off_or_removed_is_nobodys(world: World) -> None:
    tool = a_tool(world.ada, audience=Audience(True, [], []))
    asking = caller(world.mia, world.search)
    assert "weather" in a_toolbox().allowed_to(asking)
    kept.switch(world.ada, tool)
    assert "weather" not in a_toolbox().allowed_to(asking)
    kept.switch(world.ada, tool)
    kept.remove(world.ada, tool)
    assert "weather" not in a_toolbox().allowed_to(asking)


def test_what_becomes_of_a_tool_is_in_the_audit_log_without_its_secret(world: World) -> None:
    tool = a_tool(world.ada, kind=ToolKind.HTTPS, facts=HTTPS, secret="hunter2hunter2hunter2")
    kept.change(world.otto, tool, a_draft(facts=HTTPS, audience=Audience(True, [], [])))
    kept.switch(world.otto, tool)
    kept.remove(world.otto, tool)
    told = list(AuditEntry.objects.filter(action__startswith="tool.").order_by("id"))
    assert [entry.action for entry in told] == [
        "tool.made",
        "tool.changed",
        "tool.switched",
        "tool.removed",
    ]
    assert told[1].before["for_everybody"] is False
    assert told[1].after["for_everybody"] is True
    assert "hunter2" not in json.dumps([[entry.before, entry.after] for entry in told])
    assert audit.verify().is_whole


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"parameters": {"type": "array"}}, "parameters"),
        ({"parameters": {"type": "nonsense"}}, "parameters"),
        ({"facts": {**HTTPS, "url": "http://tools.example.com"}}, "url"),
        ({"facts": {**HTTPS, "url": "https://me:pass@tools.example.com"}}, "url"),
        ({"facts": {**HTTPS, "url": "https://"}}, "url"),
        ({"facts": {**HTTPS, "url": "https://[::1"}}, "url"),
        ({"facts": {**MOCK, "result": "a\0b"}}, ""),
    ],
)
def test_what_cannot_work_is_refused_beside_its_field(
    world: World, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(ToolRefused) as caught:
        a_tool(world.ada, **fields)
    assert caught.value.field == field


def test_two_tools_cannot_have_one_name(world: World) -> None:
    a_tool(world.ada)
    for name in ("weather", "calculator"):
        with pytest.raises(ToolRefused) as caught:
            a_tool(world.ada, name)
        assert caught.value.field == "name"


def test_a_stored_secret_does_not_follow_to_another_host(world: World) -> None:
    tool = a_tool(world.ada, kind=ToolKind.HTTPS, facts=HTTPS, secret="s" * 20)
    elsewhere = {**HTTPS, "url": "https://evil.example/weather"}
    with pytest.raises(ToolRefused) as caught:
        kept.change(world.otto, tool, a_draft(facts=elsewhere))
    assert caught.value.field == "secret"
    kept.change(world.otto, tool, a_draft(facts=elsewhere, secret="t" * 20))
    kept.change(world.otto, tool, a_draft(facts={**elsewhere, "url": elsewhere["url"] + "/v2"}))


@pytest.fixture
def https(world: World) -> Tool:
    return a_tool(world.ada, kind=ToolKind.HTTPS, facts=HTTPS, secret="Bearer abc")


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (httpx.Response(200, text="19 °C"), ToolStatus.OK, "19 °C"),
        (httpx.Response(404, text="a secret of theirs"), ToolStatus.FAILED, "status 404"),
        (httpx.Response(302, headers={"location": "https://x"}), ToolStatus.FAILED, "redirect"),
        (httpx.Response(200, text="x" * 70_000), ToolStatus.FAILED, "more than 65,536 bytes"),
    ],
)
def test_an_https_tool_answers_or_fails_in_words(
    https: Tool, answer: httpx.Response, status: ToolStatus, words: str
) -> None:
    seen: list[httpx.Request] = []
    ran = asyncio.run(run(a_toolbox(answer, seen), https))
    assert (ran.status, words in ran.content) == (status, True)
    assert "secret of theirs" not in ran.content
    (request,) = seen
    assert str(request.url) == HTTPS["url"]
    assert request.method == "POST"
    assert json.loads(request.content) == {"city": "Paris"}
    assert request.headers["x-key"] == "Bearer abc"


@pytest.mark.parametrize("host", ["127.0.0.1", "169.254.169.254", "10.0.0.8", "[::1]"])
def test_an_https_tool_reaches_no_private_address(world: World, host: str) -> None:
    tool = a_tool(world.ada, kind=ToolKind.HTTPS, facts={**HTTPS, "url": f"https://{host}/x"})
    seen: list[httpx.Request] = []
    ran = asyncio.run(run(a_toolbox(seen=seen), tool))
    assert (ran.status, seen) == (ToolStatus.FAILED, [])


def test_a_mock_plays_what_was_written_down(world: World) -> None:
    cases = [{"arguments": {"city": "Paris"}, "result": "19 °C"}]
    tool = a_tool(world.ada, facts={**MOCK, "cases": cases})
    assert asyncio.run(run(a_toolbox(), tool)).content == "19 °C"
    assert asyncio.run(run(a_toolbox(), tool, "{}")).content == "unknown"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "one row at least"),
        (b"name,price\n", "one row at least"),
        (b"name,name\na,b\n", "a name of its own"),
        (b"name,price\na\n", "Line 2 has 1 cells"),
        (b"\xff\xfe\x00n", "not UTF-8"),
        (b'name\n"open', "no CSV"),
        (b"name\n" + b"x" * 3_000, "more than 2,000 characters"),
        (b"name\n" + b"x\n" * 5_001, "5,001 rows"),
        (b"x" * (2 * 1024 * 1024 + 1), "larger than 2 MB"),
        (b"name\na\x00b\n", "NUL"),
    ],
)
def test_rows_that_cannot_be_taken_are_refused_with_their_line(content: bytes, words: str) -> None:
    with pytest.raises(rows.RowsRefused, match=words):
        rows.parse(content)


def test_rows_are_read_as_spreadsheets_write_them() -> None:
    table = rows.parse('\ufeffname,"price, EUR"\r\nTea,"2,50"\r\n\r\n"Big\nTea",3\r\n'.encode())
    assert table.columns == ["name", "price, EUR"]
    assert table.rows == [["Tea", "2,50"], ["Big\nTea", "3"]]
