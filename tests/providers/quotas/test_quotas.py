"""Quotas of single keys, people and teams: kept, shown, told to the engine."""

from __future__ import annotations

import json
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from providers import virtual_keys
from providers.engine.quotas import Own
from providers.models import AuditEntry, Entry, Quota, Reservation
from providers.quotas import snapshot
from tests.providers.people.conftest import World, world
from tests.providers.views.conftest import As, as_user

__all__ = ["as_user", "world"]


def put(*words: str) -> str:
    out = StringIO()
    call_command("quota", "set", *words, stdout=out)
    return out.getvalue()


def use(world: World, tokens: int, key_id: int | None = None) -> None:
    now = timezone.now()
    who = {"team": world.search, "user": world.mia, "key_id": key_id}
    hold = Reservation.objects.create(
        id=uuid4(), source="gateway", route="m", expires_at=now, settled_at=now, **who
    )
    Entry.objects.create(
        reservation=hold, attempt=1, source="gateway", route="m", provider="p", model="m",
        status="ok", cost_nano=0, input_tokens=tokens - 1, output_tokens=1, **who,
    )  # fmt: skip


def test_the_command_sets_changes_and_removes_one_with_its_audit(world: World) -> None:
    key, _ = virtual_keys.issue(user=world.mia, team=world.search, name="laptop")
    assert "rpm 5" in put("--scope", f"key:{key.prefix}", "--rpm", "5")
    told = json.loads(put("--scope", f"key:{key.prefix}", "--tpm", "90", "--json"))
    assert (told["rpm"], told["tpm"], told["is_set"]) == (None, 90, True)
    assert snapshot.read() == {f"key:{key.pk}": Own(tokens=90)}
    assert "as configured" in put("--scope", f"key:{key.prefix}")
    assert not Quota.objects.exists()
    deeds = AuditEntry.objects.filter(action__startswith="quota.").order_by("pk")
    assert [deed.action for deed in deeds] == ["quota.made", "quota.changed", "quota.removed"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--scope", "org", "--rpm", "5"), "--scope: A quota is of key:PREFIX"),
        (("--scope", "team:ghost", "--rpm", "5"), "--scope: There is no team"),
        (("--scope", "team:search", "--daily-tokens", "0"), "--daily-tokens: It must lie between"),
    ],
)
def test_a_fault_names_its_argument(world: World, words: tuple[str, ...], told: str) -> None:
    with pytest.raises(CommandError) as fault:
        put(*words)
    assert told in str(fault.value)


def test_the_tokens_of_today_are_those_of_the_books_by_scope(world: World) -> None:
    for scope in ("team:search", "user:mia@example.com", "team:billing"):
        put("--scope", scope, "--daily-tokens", "1000")
    use(world, 300)
    use(world, 400)
    found = snapshot.read_today(timezone.now())
    assert found.used == {f"team:{world.search.pk}": 700, f"user:{world.mia.pk}": 700}
    assert found.ends > timezone.now()


def test_owners_edit_on_the_page_and_others_see_what_binds_them(world: World, as_user: As) -> None:
    ada, mia, cleo = (as_user(one) for one in (world.ada, world.mia, world.cleo))
    values = {"scope": "team:search", "rpm": "30", "daily_tokens": "1000"}
    page = ada.post("/settings/budgets/quotas/new/", values, follow=True).content
    use(world, 250)
    page = mia.get("/settings/budgets/").content
    assert b"<strong>30</strong> requests a minute" in page
    assert b"<strong>250</strong> tokens today of 1,000" in page
    assert b"tokens today" not in cleo.get("/settings/budgets/").content
    row = Quota.objects.get()
    assert mia.get(f"/settings/budgets/quotas/{row.pk}/").status_code == 403
    ada.post(f"/settings/budgets/quotas/{row.pk}/", {"rpm": "40", "daily_tokens": ""})
    row.refresh_from_db()
    assert (row.rpm, row.daily_tokens) == (40, None)
    assert ada.post("/settings/budgets/quotas/new/", {**values, "rpm": "0"}).status_code == 422
