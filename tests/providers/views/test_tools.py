"""The page of tools: who sees and changes what, and that a test runs the tool itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient

from providers import gateway
from providers.engine.call import Caller, Source
from providers.models import Membership, Team, TeamRole, Tool, User
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

CSV = b"name,city,price\nTea house,Paris,2.50\nCoffee bar,Rome,3.00\nTea room,Rome,4.00\n"
SCHEMA = '{"type": "object", "properties": {"city": {"type": "string"}}}'
MOCK = {
    "name": "weather",
    "description": "Tell the weather.",
    "parameters": SCHEMA,
    "result": "unknown",
    "cases": '{"city": "Paris"} => 19 °C',
    "error": "",
    "delay_s": "0",
}
HTTPS = {
    "name": "crm",
    "description": "Find customers.",
    "parameters": SCHEMA,
    "url": "https://tools.example.com/crm",
    "header": "Authorization",
    "secret": "Bearer very-secret-a3F9",
}


def upload(content: bytes = CSV) -> SimpleUploadedFile:
    return SimpleUploadedFile("shops.csv", content, "text/csv")


def rows_form(**fields: Any) -> dict[str, Any]:
    return {"name": "shops", "description": "Find shops.", "file": upload(), **fields}


def test_an_operator_adds_a_mock_and_gives_it_to_a_team(world: World, as_user: As):
    client = as_user(world.otto)
    made = client.post("/settings/tools/new/mock/", {**MOCK, "teams": [world.search.pk]})
    tool = Tool.objects.get(name="weather")
    assert made.url == f"/settings/tools/{tool.pk}/"
    assert tool.facts["cases"] == [{"arguments": {"city": "Paris"}, "result": "19 °C"}]
    assert list(tool.teams.all()) == [world.search]
    page = client.get("/settings/tools/").content.decode()
    assert "weather" in page
    assert "Search" in page
    again = client.get(f"/settings/tools/{tool.pk}/").content.decode()
    assert "=&gt; 19 °C" in again


def test_the_secret_of_an_https_tool_is_write_only(world: World, as_user: As):
    client = as_user(world.otto)
    client.post("/settings/tools/new/https/", HTTPS)
    tool = Tool.objects.get(name="crm")
    page = client.get(f"/settings/tools/{tool.pk}/").content.decode()
    assert "…a3F9" in page
    assert "very-secret" not in page
    assert b"very-secret" not in bytes(tool.sealed)
    client.post(f"/settings/tools/{tool.pk}/", {**HTTPS, "secret": "", "for_everybody": "on"})
    before, after = bytes(tool.sealed), Tool.objects.get(name="crm")
    assert bytes(after.sealed) == before
    assert after.for_everybody


@pytest.mark.parametrize(
    ("path", "change", "field"),
    [
        ("mock", {"name": "has space"}, "name"),
        ("mock", {"parameters": "{"}, "parameters"),
        ("mock", {"parameters": '{"type": "array"}'}, "parameters"),
        ("mock", {"cases": "Paris"}, "cases"),
        ("mock", {"delay_s": "99"}, "delay_s"),
        ("https", {"url": "http://tools.example.com"}, "url"),
        ("https", {"header": "x y"}, "header"),
        ("https", {"secret": "naïve"}, "secret"),
        ("https", {"description": ""}, "description"),
    ],
)
def test_a_faulty_field_keeps_the_input_and_says_so_beside_it(
    world: World, as_user: As, path: str, change: dict[str, str], field: str
):
    values = {**(MOCK if path == "mock" else HTTPS), **change}
    page = as_user(world.otto).post(f"/settings/tools/new/{path}/", values)
    assert page.status_code == 422
    assert f'id="id_{field}_error"' in page.content.decode()
    assert not Tool.objects.filter(name=values["name"]).exists()


def test_a_teams_admin_uploads_rows_for_the_team_and_nothing_else(world: World, as_user: As):
    client = as_user(world.ben)
    client.post("/settings/tools/new/rows/", rows_form(teams=[world.search.pk]))
    tool = Tool.objects.get(name="shops")
    assert tool.team == world.search
    assert (tool.facts["columns"], tool.facts["count"]) == (["name", "city", "price"], 3)
    assert tool.rows.count() == 3
    page = client.get("/settings/tools/").content.decode()
    assert "3 rows" in page
    assert "/settings/tools/new/https/" not in page
    assert client.post("/settings/tools/new/mock/", MOCK).status_code == 403
    other = client.post("/settings/tools/new/rows/", rows_form(name="x", teams=[world.billing.pk]))
    assert other.status_code == 422


def test_new_rows_replace_the_old_ones_and_none_keep_them(world: World, as_user: As):
    client = as_user(world.ben)
    client.post("/settings/tools/new/rows/", rows_form())
    tool = Tool.objects.get(name="shops")
    client.post(f"/settings/tools/{tool.pk}/", {"description": "Find a shop."})
    assert tool.rows.count() == 3
    client.post(
        f"/settings/tools/{tool.pk}/", {"description": "One.", "file": upload(b"a,b\n1,2\n")}
    )
    tool.refresh_from_db()
    assert (tool.rows.count(), tool.facts["columns"]) == (1, ["a", "b"])


def test_a_file_that_is_no_table_is_refused_with_its_line(world: World, as_user: As):
    page = as_user(world.ben).post("/settings/tools/new/rows/", rows_form(file=upload(b"a,b\n1\n")))
    assert page.status_code == 422
    assert "Line 2 has 1 cells" in page.content.decode()


def test_an_admin_does_not_see_or_touch_what_is_another_teams(world: World, as_user: As):
    as_user(world.otto).post("/settings/tools/new/mock/", {**MOCK, "teams": [world.billing.pk]})
    tool = Tool.objects.get(name="weather")
    client = as_user(world.ben)
    assert "weather" not in client.get("/settings/tools/").content.decode()
    assert client.get(f"/settings/tools/{tool.pk}/").status_code == 404
    for verb in ("switch", "remove", "test"):
        assert client.post(f"/settings/tools/{tool.pk}/{verb}/").status_code == 404


def test_an_admin_keeps_what_an_operator_has_given_to_others(world: World, as_user: As):
    as_user(world.ben).post("/settings/tools/new/rows/", rows_form())
    tool = Tool.objects.get(name="shops")
    tool.teams.set([world.billing])
    as_user(world.ben).post(
        f"/settings/tools/{tool.pk}/", {"description": "x", "teams": [world.search.pk]}
    )
    assert set(tool.teams.all()) == {world.billing, world.search}


def test_a_built_in_tool_is_switched_off_but_not_removed(world: World, as_user: As):
    client = as_user(world.otto)
    client.get("/settings/tools/")
    tool = Tool.objects.get(name="calculator")
    client.post(f"/settings/tools/{tool.pk}/remove/")
    assert Tool.objects.filter(name="calculator").exists()
    client.post(f"/settings/tools/{tool.pk}/switch/")
    tool.refresh_from_db()
    assert not tool.is_enabled


@pytest.fixture
async def admin(transactional_db: None) -> AsyncIterator[AsyncClient]:
    def made() -> User:
        team = Team.objects.create(name="Shops", slug="shops")
        user = User.objects.create_user("ben@example.org", "a long pass phrase", active_team=team)
        Membership.objects.create(team=team, user=user, role=TeamRole.ADMIN)
        return user

    client = AsyncClient()
    await sync_to_async(client.force_login)(await sync_to_async(made)())
    yield client
    await gateway.stop()


@pytest.mark.parametrize(
    ("arguments", "has", "hasnt"),
    [
        ('{"query": "tea"}', ["Tea house", "Tea room", "It answered"], ["Coffee"]),
        ('{"query": "tea rome"}', ["Tea room"], ["Tea house"]),
        ('{"query": "tea", "limit": 1}', ["Tea"], ["4.00"]),
        ('{"query": "bread"}', ["No row has these words"], []),
        ('{"query": "\\u0000 \\" OR 1=1"}', ["No row has these words"], []),
        ("{}", ["lacks query", "invalid_input"], []),
        ("{", ["not JSON"], []),
    ],
)
async def test_a_test_looks_up_rows_by_their_words(
    admin: AsyncClient, arguments: str, has: list[str], hasnt: list[str]
):
    await admin.post("/settings/tools/new/rows/", rows_form())
    tool = await Tool.objects.aget(name="shops")
    page = await admin.post(f"/settings/tools/{tool.pk}/test/", {"arguments": arguments})
    text = page.content.decode()
    assert page.status_code == 200
    assert all(words in text for words in has), text
    assert not any(words in text for words in hasnt), text


async def test_a_tool_that_is_switched_off_is_offered_to_nobody_within_a_moment(
    admin: AsyncClient,
):
    await admin.get("/settings/tools/")
    asking = Caller(Source.GATEWAY, user_id=0, team_id=0)
    assert "calculator" in {tool.name for tool in await gateway.tools_for(asking)}
    await Tool.objects.filter(name="calculator").aupdate(is_enabled=False)
    for _ in range(250):
        names = {tool.name for tool in await gateway.tools_for(asking)}
        if "calculator" not in names:
            break
        await asyncio.sleep(0.02)
    assert "calculator" not in names
