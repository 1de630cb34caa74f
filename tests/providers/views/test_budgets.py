from __future__ import annotations

import html
import re
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from providers import virtual_keys
from providers.ledger.budgets import change_budget, parse_scope, set_budget
from providers.models import Budget, BudgetWindow, Entry, Reservation, Route
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
    page = as_user(world.ben).get("/settings/budgets/").content.decode()

    own, bound = page.split("These bind you too")
    assert "<strong>Search</strong>" in own
    assert "Explain the balance of the monthly budget of team Search" in own
    assert "The whole organisation" not in own
    assert "The whole organisation" in bound
    assert "Explain the balance" not in bound
    for word in ("Billing", "Edit ", "New budget"):
        assert word not in page


def test_a_member_sees_what_binds_them_and_explains_their_own_alone(world: World, as_user: As):
    own, team = budget("user:mia@example.com"), budget("team:search")
    other = budget("user:otto@example.com")
    mia = as_user(world.mia)
    page = mia.get("/settings/budgets/").content

    assert b"mia@example.com" in page
    assert b"<strong>Search</strong>" in page
    assert b"otto@example.com" not in page
    asked = [mia.get(f"/settings/budgets/{row.pk}/explained/") for row in (own, team, other)]
    assert [answer.status_code for answer in asked] == [200, 404, 404]


def test_budgets_stand_as_a_tree(world: World, as_user: As):
    key, _ = virtual_keys.issue(user=world.mia, team=world.search, name="laptop")
    for scope in (
        "tag:checkout",
        f"key:{key.prefix}",
        "user:mia@example.com",
        "team:billing",
        "team:search",
        "org",
    ):
        budget(scope)
    page = as_user(world.ada).get("/settings/budgets/").content.decode()
    rows = re.findall(r'class="depth-(\d)">\s*<div class="what">\s*<strong>([^<]+)', page)
    assert rows == [
        ("0", "The whole organisation"),
        ("1", "Billing"),
        ("1", "Search"),
        ("2", "mia@example.com"),
        ("3", key.prefix),
        ("1", "checkout"),
    ]


def spend(row: Budget, dollars: int) -> None:
    """Book an entry of the team's today, and count it in the window."""
    nano, now = dollars * 10**9, timezone.now()
    hold = Reservation.objects.create(
        id=uuid4(), source="gateway", team=row.team, route="m", expires_at=now, settled_at=now
    )
    facts = {"provider": "p", "model": "m", "status": "ok", "source": "gateway", "route": "m"}
    Entry.objects.create(reservation=hold, attempt=1, team=row.team, cost_nano=nano, **facts)
    BudgetWindow.objects.filter(budget=row).update(spent_nano=F("spent_nano") + nano)


def effect(client: Client, path: str, **values: str) -> str:
    page = client.post(path, {"step": "effect", **values}).content.decode()
    return html.unescape(page.split('id="effect"')[1].split("</form>")[0])


def test_what_a_new_limit_does_is_told_before_it_is_saved(world: World, as_user: As):
    row = budget("team:search", 500)
    spend(row, 212)
    ada, path = as_user(world.ada), f"/settings/budgets/{row.pk}/"
    told = effect(ada, path, limit="200", kind="hard")

    assert "Search is at $212.00: a limit of $200.00 blocks at once until 1 " in told
    assert "$88.00 of $300.00 are left until 1 " in effect(ada, path, limit="300", kind="hard")
    soft = effect(ada, path, limit="200", kind="soft")
    assert "over a limit of $200.00. It only warns" in soft
    assert "It no longer refuses anything" in soft
    moved = effect(ada, path, limit="300", kind="hard", starts_on="28", time_zone="Asia/Tokyo")
    assert "Another window begins to count: since " in moved
    row.refresh_from_db()
    assert (row.limit_nano, row.starts_on) == (500 * 10**9, 1)


def test_a_new_budget_knows_beforehand_what_was_spent(world: World, as_user: As):
    row = budget("team:search", 500)
    spend(row, 212)
    row.delete()
    values = {"scope": "team:search", "period": "month", "limit": "200", "kind": "hard"}
    told = effect(as_user(world.ada), "/settings/budgets/new/", **values)
    assert "Search is at $212.00: a limit of $200.00 blocks at once" in told
    assert not Budget.objects.exists()


def test_who_saves_over_somebody_elses_change_is_told_first(world: World, as_user: As):
    row = budget("team:search", 5)
    ada, path = as_user(world.ada), f"/settings/budgets/{row.pk}/"
    seen = re.findall(r'name="seen" value="(\w+)"', ada.get(path).content.decode())[0]
    change_budget(row, limit_usd=Decimal(9), is_hard=True, by=world.ada)
    values = {"limit": "7", "kind": "hard", "seen": seen}
    refused = ada.post(path, values)

    assert refused.status_code == 422
    text = html.unescape(refused.content.decode())
    assert "ada@example.com has changed this budget since you opened it" in text
    assert "of $9.00 are left" in text
    row.refresh_from_db()
    assert row.limit_nano == 9 * 10**9
    again = re.findall(r'name="seen" value="(\w+)"', text)[0]
    ada.post(path, {**values, "seen": again})
    row.refresh_from_db()
    assert row.limit_nano == 7 * 10**9


def test_a_cheaper_route_has_to_be_named_and_is_shown(world: World, as_user: As):
    row = budget("team:search")
    Route.objects.create(name="small")
    ada, path = as_user(world.ada), f"/settings/budgets/{row.pk}/"
    unnamed = ada.post(path, {"limit": "5", "kind": "degrade"})
    assert unnamed.status_code == 422
    assert b'id="id_degrade_to_error"' in unnamed.content
    values = {"limit": "5", "kind": "degrade", "degrade_to": "small", "thresholds": "70, 90%"}
    page = ada.post(path, values, follow=True).content
    assert b"Then small" in page
    row.refresh_from_db()
    assert (row.degrade_to, row.thresholds) == ("small", [70, 90])


def test_a_balance_is_explained_to_the_last_cent_with_its_holds(world: World, as_user: As):
    row = budget("team:search", 500)
    window = BudgetWindow.objects.get(budget=row)
    spend(row, 100)
    hold = Reservation.objects.create(
        id=uuid4(),
        source="gateway",
        team=world.search,
        user=world.mia,
        route="large",
        windows=[window.pk],
        held_nano=3 * 10**9,
        expires_at=timezone.now() + timedelta(minutes=5),
    )
    BudgetWindow.objects.filter(pk=window.pk).update(held_nano=3 * 10**9, opening_nano=40 * 10**9)
    page = as_user(world.ben).get(f"/settings/budgets/{row.pk}/explained/").content.decode()
    sums = page.split("How it adds up")[1].split("Held now")[0]
    figures = re.findall(r"\$[\d.]+", sums)
    assert figures == ["$500.00", "$40.00", "$60.00", "$3.00", "$397.00"]
    assert reverse("providers:receipt", args=[hold.pk]) in page
    assert "mia@example.com" in page
    assert "<polyline" in page
    assert "The same as a table" in page


def test_a_total_has_no_pace_to_draw(world: World, as_user: As):
    row = set_budget(scope=parse_scope("org"), limit_usd=Decimal(5), period="total", is_hard=True)
    page = as_user(world.ada).get(f"/settings/budgets/{row.pk}/explained/").content
    assert b"One sum for good" in page
    assert b"<polyline" not in page


def test_a_removed_budget_is_gone(world: World, as_user: As):
    row = budget("org")
    as_user(world.ada).post(f"/settings/budgets/{row.pk}/remove/")

    assert not Budget.objects.exists()
