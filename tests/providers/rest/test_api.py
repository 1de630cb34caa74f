"""`/api/v1` with a session, with a key, and with neither."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from providers import catalog, virtual_keys
from providers.ledger import budgets
from providers.models import Membership, Team, TeamRole, User, VirtualKey

READS = ("me", "usage", "budgets", "health")


def get(path: str, secret: str | None = None, person: User | None = None) -> Any:
    client = Client()
    if person is not None:
        client.force_login(person)
    headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
    return client.get(f"/api/v1/{path}", headers=headers)


@pytest.fixture
def key(ben: User, team: Team) -> tuple[VirtualKey, str]:
    return virtual_keys.issue(user=ben, team=team, name="scripts")


@pytest.mark.parametrize("path", READS)
@pytest.mark.django_db
def test_nobody_reads_anything(path: str) -> None:
    for secret in (None, "", "nonsense", "gai_" + "x" * 43):
        answer = get(path, secret)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("path", READS)
def test_an_owner_reads_everything(path: str, ada: User, team: Team) -> None:
    assert get(path, person=ada).status_code == 200


def test_a_key_says_whose_it_is(key: tuple[VirtualKey, str], ben: User, team: Team) -> None:
    told = get("me", key[1]).json()
    assert told["email"] == ben.email
    assert told["team"]["slug"] == team.slug
    assert told["team_role"] == "member"
    assert told["key"] == {"name": "scripts", "prefix": key[0].prefix, "expires_at": None}


def test_a_key_ends_with_its_holders_membership(key: tuple[VirtualKey, str], team: Team) -> None:
    Membership.objects.filter(team=team).update(role=TeamRole.VIEWER)
    assert get("me", key[1]).status_code == 401


def test_a_revoked_key_reads_nothing(key: tuple[VirtualKey, str]) -> None:
    virtual_keys.revoke(key[0])
    assert get("me", key[1]).status_code == 401


def test_a_bad_key_is_not_saved_by_a_good_session(ada: User) -> None:
    assert get("me", "gai_" + "x" * 43, person=ada).status_code == 401


def test_budgets_are_those_that_bind_the_key(key: tuple[VirtualKey, str], team: Team) -> None:
    other = Team.objects.create(name="Others", slug="others")
    for scope in ("org", f"team:{team.slug}", f"team:{other.slug}", f"key:{key[0].prefix}"):
        budgets.set_budget(
            scope=budgets.parse_scope(scope), limit_usd=Decimal(5), period="month", is_hard=True
        )
    told = get("budgets", key[1]).json()["budgets"]
    assert [each["scope"] for each in told] == ["org", "team", "key"]
    assert told[0]["limit_usd"] == "5.000000000"
    assert told[0]["held_usd"] == "0.000000000"


def test_usage_covers_every_day_of_the_span(key: tuple[VirtualKey, str]) -> None:
    told = get("usage?days=7&group=team", key[1]).json()
    assert len(told["days"]) == 7
    assert told["total"]["cost_usd"] == "0.000000000"


@pytest.mark.parametrize("query", ["days=0", "days=400", "days=x", "group=weather"])
def test_a_faulty_parameter_is_named(key: tuple[VirtualKey, str], query: str) -> None:
    answer = get(f"usage?{query}", key[1])
    assert answer.status_code == 400
    error = answer.json()["error"]
    field = query.split("=", maxsplit=1)[0]
    assert error["message"].startswith(field)
    assert (error["code"], error["context"]) == ("VALIDATION_ERROR", {"path": field})
    assert not error["retryable"]


def test_a_member_does_not_see_the_health_of_providers(key: tuple[VirtualKey, str]) -> None:
    assert get("health", key[1]).status_code == 403


def test_health_lists_every_deployment(ada: User, team: Team) -> None:
    catalog.lead_demo_route(catalog.add_provider(name="demo", kind="demo"))
    told = get("health", person=ada).json()
    assert [each["model"] for each in told["deployments"]] == ["demo"]
    assert told["deployments"][0]["success_share"] is None


def test_the_documentation_names_every_address_and_has_no_inline_script(
    ada: User, team: Team
) -> None:
    page = get("docs/", person=ada).content.decode()
    for path in READS:
        assert f"/api/v1/{path}</code>" in page
    assert "<script>" not in page
    assert "held_usd" in page
    assert get("openapi.json").status_code == 200
