"""The receipt's page: who may open it, and what it says."""

from __future__ import annotations

import re
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from providers.catalog import price_versions
from providers.models import Entry, Reservation, Team, User
from tests.providers.ledger.test_recompute import PRICE
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As


def a_request(team: Team, user: User, **facts: Any) -> UUID:
    price_versions.keep([PRICE])
    now = timezone.now()
    held = Reservation.objects.create(
        id=uuid4(),
        source="gateway",
        team=team,
        user=user,
        route="fast",
        held_nano=5_000_000,
        expires_at=now,
        settled_at=now,
    )
    told = {
        "provider": "acme",
        "model": "large",
        "status": "ok",
        "input_tokens": 1_000,
        "output_tokens": 100,
        "cache_read_tokens": 400,
        "cost_nano": 180_000,
        "price_version": PRICE.version,
    }
    common = {"reservation": held, "source": "gateway", "team": team, "user": user, "route": "fast"}
    Entry.objects.create(attempt=1, **common, **{**told, **facts})
    return held.pk


@pytest.mark.django_db
def test_the_page_tells_lines_prices_and_hold(world: World, as_user: As) -> None:
    request = a_request(world.search, world.mia)
    words = as_user(world.mia).get(f"/receipts/{request}/").content.decode()
    for said in ("$0.15<", "$0.00009", "$0.00003", PRICE.version, "$0.005", "acme/large"):
        assert said in words
    assert "Unconfirmed" not in words


@pytest.mark.django_db
def test_what_is_estimated_or_unconfirmed_is_marked(world: World, as_user: As) -> None:
    guessed = a_request(world.search, world.mia, is_estimated=True)
    silent = a_request(world.search, world.mia, is_unconfirmed=True, input_tokens=None)
    client = as_user(world.mia)
    assert "≈ 100" in client.get(f"/receipts/{guessed}/").content.decode()
    assert "Nobody saw the end" in client.get(f"/receipts/{silent}/").content.decode()


@pytest.mark.django_db
def test_a_receipt_is_for_who_asked_the_teams_admin_and_owners(world: World, as_user: As) -> None:
    request = a_request(world.search, world.mia)
    statuses = {
        name: as_user(getattr(world, name)).get(f"/receipts/{request}/").status_code
        for name in ("mia", "ben", "ada", "vic", "otto", "cleo")
    }
    assert statuses == {"mia": 200, "ben": 200, "ada": 200, "vic": 404, "otto": 404, "cleo": 404}
    assert as_user(world.ada).get(f"/receipts/{uuid4()}/").status_code == 404


@pytest.mark.django_db
def test_the_cost_page_leads_to_the_dearest_requests(world: World, as_user: As) -> None:
    cheap = a_request(world.search, world.mia, cost_nano=1_000)
    dear = a_request(world.search, world.mia, cost_nano=9_000_000)
    other = a_request(world.billing, world.cleo, cost_nano=99_000_000)
    client = as_user(world.mia)
    place = re.search(r'hx-get="(/costs/dearest/[^"]*)"', client.get("/costs/").content.decode())
    assert place is not None
    words = client.get(unescape(place.group(1))).content.decode()
    assert 0 < words.index(f"/receipts/{dear}/") < words.index(f"/receipts/{cheap}/")
    assert str(other) not in words
