from __future__ import annotations

from django.utils import timezone

from providers.models import AuditEntry, CachedAnswer, Team
from tests.providers.people.conftest import World
from tests.providers.spent import entry
from tests.providers.views.conftest import As

PAGE = "/settings/cache/"


def lay(team: Team, route: str) -> None:
    CachedAnswer.objects.create(
        digest=f"{team.pk}{route}".encode(),
        team_id=team.pk,
        route=route,
        value=b"x" * 2048,
        kept_at=timezone.now(),
    )


def left() -> set[tuple[int, str]]:
    return set(CachedAnswer.objects.values_list("team_id", "route"))


def test_the_page_tells_what_is_kept_and_what_it_saved(world: World, as_user: As):
    lay(world.search, "fast")
    entry(team=world.search, user=world.ada, route="fast")
    entry(
        team=world.search,
        user=world.ada,
        route="fast",
        attempt=0,
        is_cached=True,
        cost_nano=0,
        saved_nano=1_500_000_000,
    )
    page = as_user(world.ada).get(PAGE).content.decode()

    assert "2.0" in page
    assert "$1.50" in page
    assert "50" in page
    assert "Purge fast of Search" in page


def test_an_owner_purges_a_route_of_a_team_and_then_everything(world: World, as_user: As):
    for team in (world.search, world.billing):
        lay(team, "fast")
        lay(team, "slow")
    owner = as_user(world.ada)
    owner.post(f"{PAGE}purge/", {"team": world.search.pk, "route": "fast"})
    assert left() == {
        (world.search.pk, "slow"),
        (world.billing.pk, "fast"),
        (world.billing.pk, "slow"),
    }

    page = owner.post(f"{PAGE}purge/", follow=True).content.decode()
    assert "3 answers are thrown away" in page
    assert "Nothing is kept yet" in page
    assert AuditEntry.objects.filter(action="cache.purge", user=world.ada).count() == 2


def test_a_teams_admin_sees_and_purges_their_own_team_alone(world: World, as_user: As):
    lay(world.search, "fast")
    lay(world.billing, "foreign-route")
    admin = as_user(world.ben)
    page = admin.get(PAGE).content.decode()
    assert "foreign-route" not in page
    assert "Purge everything" not in page

    assert admin.post(f"{PAGE}purge/", {"team": world.billing.pk}).status_code == 404
    assert admin.post(f"{PAGE}purge/").status_code == 404
    assert left() == {(world.search.pk, "fast"), (world.billing.pk, "foreign-route")}
    admin.post(f"{PAGE}purge/", {"team": world.search.pk})
    assert left() == {(world.billing.pk, "foreign-route")}
