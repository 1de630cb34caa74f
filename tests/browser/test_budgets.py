"""A budget as an owner changes it: what that does is told before it is saved."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.server import Server
from tests.browser.test_settings import owned, owner

__all__ = ["owned", "owner"]

_SPENT = """
import json
from uuid import uuid4
from datetime import timedelta
from django.core.management import call_command
from django.utils import timezone
from providers.models import Budget, BudgetWindow, Entry, Reservation, Team
call_command("budget", "set", "--scope", "team:our-team", "--limit", "500")
team, now = Team.objects.get(), timezone.now()
budget = Budget.objects.get(scope="team")
window = BudgetWindow.objects.get(budget=budget)
days = max(1, (now - window.starts_at).days)
for day in range(days):
    at = window.starts_at + timedelta(days=day, hours=12)
    hold = Reservation.objects.create(
        id=uuid4(), source="gateway", team=team, route="fast", created_at=at, expires_at=at,
        settled_at=at,
    )
    Entry.objects.create(
        reservation=hold, attempt=1, at=at, source="gateway", team=team, route="fast",
        provider="demo", model="demo", status="ok", cost_nano=212 * 10**9 // days,
    )
Reservation.objects.create(
    id=uuid4(), source="gateway", team=team, route="fast", windows=[window.pk],
    held_nano=3 * 10**9, created_at=now - timedelta(seconds=40),
    expires_at=now + timedelta(minutes=9),
)
BudgetWindow.objects.filter(pk=window.pk).update(spent_nano=212 * 10**9, held_nano=3 * 10**9)
print(json.dumps(budget.pk))
"""


def test_a_budget_tells_what_a_change_does_before_it_is_saved(
    owned: tuple[Server, dict[str, str]], owner: Page, axe: Callable[[Page], None]
):
    server = owned[0]
    budget = server.python(_SPENT)
    owner.goto(f"{server.url}/settings/budgets/{budget}/")
    told = owner.locator("#effect")
    expect(told).to_contain_text("Our team is at $212.00")
    owner.get_by_label("Limit in US dollars").fill("200")
    expect(told).to_contain_text("a limit of $200.00 blocks at once until 1 ")
    owner.get_by_label("Soft: it only warns, prompts go on").check()
    expect(told).to_contain_text("It no longer refuses anything")
    axe(owner)
    owner.get_by_role("button", name="Save").click()
    expect(owner.get_by_text("The new limit is in force.")).to_be_visible()
    row = owner.locator(f"#budget-{budget}")
    expect(row).to_contain_text("Over the limit")
    row.get_by_role("link", name="Explain").click()
    expect(owner.get_by_role("heading", name="How it adds up")).to_be_visible()
    owner.get_by_text("The same as a table").click()
    axe(owner)
    owner.set_viewport_size({"width": 390, "height": 800})
    axe(owner)
    assert owner.evaluate("document.documentElement.scrollWidth") <= 390
