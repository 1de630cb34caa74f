"""Every administrative deed leaves an entry that says who did it, and no secret."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from uuid import uuid4

import pytest
from django.utils import timezone

from providers import audit, catalog, credentials, virtual_keys
from providers.catalog import providers as provider_verbs
from providers.catalog import routes as route_verbs
from providers.catalog.routes import OwnPrice
from providers.catalog.targets import Target, save_route
from providers.ledger import budgets, corrections
from providers.models import AuditEntry, Budget, Provider, Reservation, Route
from providers.people import members, teams
from providers.people.standing import standing_of_user
from tests.providers.people.conftest import World, world

__all__ = ["world"]

SECRET = "sk-canary-0123456789abcdef"


def provider(world: World) -> Provider:
    return catalog.add_provider(name="acme", kind="openai", secret=SECRET, by=world.ada)


def route(world: World) -> Route:
    provider(world)
    prices = OwnPrice(Decimal(1), Decimal(2))
    return catalog.add_route(name="fast", targets=["acme/m"], prices=prices, by=world.ada)


def budget(world: World) -> Budget:
    return budgets.set_budget(
        scope=budgets.parse_scope("org"),
        limit_usd=Decimal(20),
        period="month",
        is_hard=True,
        by=world.ada,
    )


def key(world: World) -> virtual_keys.VirtualKey:
    return virtual_keys.issue(user=world.mia, team=world.search, name="laptop", by=world.ada)[0]


def switch_provider(world: World) -> None:
    provider_verbs.set_enabled(provider(world), is_enabled=False, by=world.ada)


def remove_provider(world: World) -> None:
    catalog.remove_provider(provider(world), by=world.ada)


def fail_to_order(world: World) -> None:
    demo = catalog.add_provider(name="demo", kind="demo", by=world.ada)
    provider_verbs.set_faults(demo, has_faults=not demo.has_faults, by=world.ada)


def revoke_credential(world: World) -> None:
    credentials.revoke(provider(world).credentials.get(), by=world.ada)


def switch_route(world: World) -> None:
    route_verbs.set_enabled(route(world), is_enabled=False, by=world.ada)


def remove_route(world: World) -> None:
    route_verbs.remove_route(route(world), by=world.ada)


def change_target(world: World) -> None:
    route(world)
    target = Target("acme", "m", max_output=99, numbers={"burst": 7})
    save_route(name="fast", targets=[target, Target("acme", "n")], by=world.ada)


def change_budget(world: World) -> None:
    budgets.change_budget(budget(world), limit_usd=Decimal(5), is_hard=False, by=world.ada)


def remove_budget(world: World) -> None:
    budgets.remove_budget(budget(world), by=world.ada)


def rotate_key(world: World) -> None:
    key(world)
    virtual_keys.issue(user=world.mia, team=world.search, name="laptop", rotate=True, by=world.ada)


def revoke_key(world: World) -> None:
    virtual_keys.revoke(key(world), by=world.ada)


def change_members(world: World) -> None:
    by = standing_of_user(world.ada)
    added = members.add_member(email="new@example.org", team=world.search, role="member", by=by)
    members.change_role(added.membership, "admin", by=by)
    members.remove_member(added.membership, by=by)


def demote_who_holds_a_key(world: World) -> None:
    key(world)
    members.change_role(world.membership(world.mia), "viewer", by=standing_of_user(world.ada))


def change_teams(world: World) -> None:
    teams.rename_team(teams.create_team("Finance", world.ada), "Money", world.ada)


def correct_a_cost(world: World) -> None:
    now = timezone.now()
    facts = {"source": "gateway", "route": "fast", "expires_at": now, "settled_at": now}
    request = Reservation.objects.create(id=uuid4(), **facts)
    corrections.correct(request.pk, Decimal("0.5"), "An invoice", world.ada)


DEEDS: dict[Callable[[World], object], set[str]] = {
    provider: {"provider.made", "credential.added"},
    switch_provider: {"provider.switched"},
    remove_provider: {"provider.removed", "credential.revoked"},
    fail_to_order: {"provider.faults"},
    revoke_credential: {"credential.revoked"},
    route: {"route.made", "price.set"},
    change_target: {"route.changed", "deployment.changed"},
    switch_route: {"route.switched"},
    remove_route: {"route.removed"},
    budget: {"budget.made"},
    change_budget: {"budget.changed"},
    remove_budget: {"budget.removed"},
    correct_a_cost: {"ledger.corrected"},
    key: {"key.issued"},
    rotate_key: {"key.rotated"},
    revoke_key: {"key.revoked"},
    change_members: {"member.added", "link.made", "member.role", "member.removed"},
    demote_who_holds_a_key: {"member.role", "key.revoked"},
    change_teams: {"team.made", "team.renamed"},
}


@pytest.mark.parametrize("deed", DEEDS, ids=lambda deed: deed.__name__)
def test_a_deed_is_told_with_who_did_it(world: World, deed: Callable[[World], object]):
    there = set(AuditEntry.objects.values_list("pk", flat=True))
    deed(world)
    written = AuditEntry.objects.exclude(pk__in=there)

    assert DEEDS[deed] <= set(written.values_list("action", flat=True))
    assert {entry.actor for entry in written} == {world.ada.email}
    assert audit.verify().is_whole
    assert SECRET not in str(list(written.values()))


def test_what_changes_nothing_leaves_no_entry(world: World):
    budget(world)
    route(world)
    there = AuditEntry.objects.exclude(action__startswith="credential.").count()
    budget(world)
    route(world)

    assert AuditEntry.objects.exclude(action__startswith="credential.").count() == there
