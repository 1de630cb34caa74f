from __future__ import annotations

from decimal import Decimal

from providers.ledger.budgets import parse_scope, set_budget
from providers.models import Budget
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As


def budget(scope: str, dollars: int = 5) -> Budget:
    return set_budget(
        scope=parse_scope(scope), limit_usd=Decimal(dollars), period="month", is_hard=True
    )


def test_an_owner_sets_a_budget_and_reads_it_in_words(world: World, as_user: As):
    values = {"scope": "team:search", "period": "week", "limit": "12.50", "kind": "soft"}
    page = as_user(world.ada).post("/settings/budgets/new/", values, follow=True).content

    assert b"$12.50" in page
    assert b"Soft: warns" in page
    assert b"<meter" in page
    assert b"starts anew" in page


def test_a_faulty_limit_is_said_beside_its_field_and_kept(world: World, as_user: As):
    values = {"scope": "team:search", "period": "week", "limit": "-3", "kind": "soft"}
    page = as_user(world.ada).post("/settings/budgets/new/", values)

    assert page.status_code == 422
    assert b'id="id_limit_error"' in page.content
    assert b'value="-3"' in page.content
    assert not Budget.objects.exists()


def test_a_limit_is_changed_and_its_scope_stays(world: World, as_user: As):
    row = budget("team:search")
    as_user(world.ada).post(f"/settings/budgets/{row.pk}/", {"limit": "7", "kind": "soft"})

    row.refresh_from_db()
    assert (row.limit_nano, row.is_hard, row.team) == (7 * 10**9, False, world.search)


def test_a_limit_of_nothing_is_loud(world: World, as_user: As):
    budget("org", 0)

    assert b"Used up: prompts are refused" in as_user(world.ada).get("/settings/budgets/").content


def test_a_team_admin_reads_the_teams_budgets_and_sets_none(world: World, as_user: As):
    for scope in ("org", "team:search", "team:billing"):
        budget(scope)
    page = as_user(world.ben).get("/settings/budgets/").content

    assert b"<strong>Search</strong>" in page
    assert b"Billing" not in page
    assert b"The whole organisation" not in page
    assert b"Edit" not in page
    assert b"New budget" not in page


def test_a_removed_budget_is_gone(world: World, as_user: As):
    row = budget("org")
    as_user(world.ada).post(f"/settings/budgets/{row.pk}/remove/")

    assert not Budget.objects.exists()
