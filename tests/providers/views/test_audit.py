from __future__ import annotations

import csv
from datetime import timedelta
from io import StringIO

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.http import StreamingHttpResponse
from django.utils import timezone

from providers import audit
from providers.models import AuditEntry
from providers.views.settings import audit as page_module
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

PAGE = "/settings/audit/"


@pytest.fixture
def three(world: World) -> list[AuditEntry]:
    return [
        audit.write(world.ada, "budget.made", "the organisation, month", after={"limit": 20}),
        audit.write(world.ben, "key.revoked", "mia · laptop", before={"prefix": "gai_abc"}),
        audit.write(None, "key.issued", "mia · =HYPERLINK()", reason="Asked for by mail."),
    ]


def targets(page: bytes) -> set[str]:
    told = page.decode()
    return {word for word in ("the organisation, month", "laptop", "HYPERLINK") if word in told}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("who=BEN@", {"laptop"}),
        ("what=key.", {"laptop", "HYPERLINK"}),
        ("what=key.issued", {"HYPERLINK"}),
        ("target=month", {"the organisation, month"}),
        ("who=ben&what=budget.made", set()),
    ],
)
def test_the_log_is_filtered_by_who_what_and_on_what(
    world: World, as_user: As, three: list[AuditEntry], query: str, found: set[str]
):
    assert targets(as_user(world.otto).get(f"{PAGE}?{query}").content) == found


def test_the_log_is_filtered_by_days_of_the_organisation(
    world: World, as_user: As, three: list[AuditEntry]
):
    today = timezone.now().date()
    yesterday = today - timedelta(days=1)
    client = as_user(world.ada)

    assert len(targets(client.get(f"{PAGE}?since={today}&to={today}").content)) == 3
    assert targets(client.get(f"{PAGE}?to={yesterday}").content) == set()
    assert client.get(f"{PAGE}?since=tomorrow").status_code == 422


def test_pages_go_on_below_the_last_entry_though_others_are_written_meanwhile(
    world: World, as_user: As, three: list[AuditEntry], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(page_module, "ROWS", 2)
    client = as_user(world.ada)
    first = client.get(PAGE, {"what": "key."})
    assert "Older" not in first.content.decode()

    audit.write(world.ada, "route.made", "fast")
    older = f"{PAGE}?before={three[1].pk}"
    assert targets(client.get(older).content) == {"the organisation, month"}
    assert f"?before={three[2].pk}" in client.get(PAGE).content.decode()


def test_csv_holds_every_entry_and_no_formula(world: World, as_user: As, three: list[AuditEntry]):
    response = as_user(world.ada).get(f"{PAGE}entries.csv", {"what": "key."})
    assert isinstance(response, StreamingHttpResponse)
    rows = list(csv.DictReader(StringIO(read(response))))

    assert [row["what"] for row in rows] == ["key.issued", "key.revoked"]
    assert rows[1]["before"] == '{"prefix":"gai_abc"}'
    assert rows[0]["who"] == "this machine"
    assert rows[0]["why"] == "Asked for by mail."


def read(response: StreamingHttpResponse) -> str:
    async def whole() -> bytes:
        return b"".join([piece async for piece in response])

    return async_to_sync(whole)().decode()


def test_the_page_says_whether_the_chain_is_whole(
    world: World, as_user: As, three: list[AuditEntry]
):
    client = as_user(world.ada)
    assert f"{PAGE}chain/" in client.get(PAGE).content.decode()
    assert "The chain is whole" in client.get(f"{PAGE}chain/").content.decode()

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE providers_auditentry DISABLE TRIGGER gaiweb_keep_audit")
        cursor.execute("UPDATE providers_auditentry SET actor = 'x' WHERE id = %s", [three[1].pk])
    broken = client.get(f"{PAGE}chain/").content.decode()
    assert f"broken at entry {three[1].pk}" in broken


def test_what_people_read_of_a_change_is_what_differed(world: World, as_user: As):
    audit.write_change(
        world.ada, "route.changed", "fast", {"on": True, "to": ["a"]}, {"on": True, "to": ["b"]}
    )
    told = as_user(world.ada).get(PAGE).content.decode()

    assert "to: " in told
    assert "on: " not in told
    assert audit.write_change(world.ada, "route.changed", "fast", {"on": 1}, {"on": 1}) is None
