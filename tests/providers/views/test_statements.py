"""Statements on pages: for whom, by whom, and what they say."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from providers.models import Statement, User
from tests.providers import spent
from tests.providers.people.conftest import World
from tests.providers.spent import CENT

URL = "/costs/statements/"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def last_month() -> date:
    return (timezone.now().replace(day=1) - timedelta(days=1)).date().replace(day=1)


@pytest.fixture
def stated(world: World, last_month: date) -> World:
    at = timezone.now().replace(day=1) - timedelta(days=3)
    spent.entry(at=at, user=world.mia, team=world.search, price_version="2026-05")
    spent.entry(at=at, user=world.cleo, team=world.billing, cost_nano=5 * CENT)
    answer = client_of(world.ada).post(f"{URL}make/", {"month": f"{last_month:%Y-%m}"}, follow=True)
    assert "2 statements of" in answer.content.decode()
    return world


def numbers(answer: HttpResponse) -> list[str]:
    return [one.team_name for one in answer.context["page"].statements]  # type: ignore[attr-defined]


def test_owners_see_all_and_admins_those_of_their_team(stated: World):
    assert numbers(client_of(stated.ada).get(URL)) == ["Billing", "Search"]
    assert numbers(client_of(stated.ben).get(URL)) == ["Search"]
    assert client_of(stated.mia).get(URL).status_code == 403


def test_one_of_another_team_is_not_there(stated: World):
    other = Statement.objects.get(team=stated.billing)
    for ending in ("/", ".csv"):
        url = f"{URL}{other.number}{ending}"
        assert client_of(stated.ben).get(url).status_code == 404
        assert client_of(stated.ada).get(url).status_code == 200


def test_a_statement_says_model_price_and_total(stated: World):
    number = Statement.objects.get(team=stated.search).number
    text = client_of(stated.ben).get(f"{URL}{number}/").content.decode()

    for word in ("gpt-a", "2026-05", "$0.01", "Nothing on it changes"):
        assert word in text


def test_made_again_nothing_is_new(stated: World, last_month: date):
    answer = client_of(stated.ada).post(
        f"{URL}make/", {"month": f"{last_month:%Y-%m}"}, follow=True
    )

    assert "stand already" in answer.content.decode()
    assert Statement.objects.count() == 2


@pytest.mark.parametrize(("month", "word"), [("2999-01", "not over yet"), ("x", "Choose a month")])
def test_a_month_that_cannot_be_stated_is_explained(stated: World, month: str, word: str):
    answer = client_of(stated.ada).post(f"{URL}make/", {"month": month}, follow=True)

    assert word in answer.content.decode()


def test_only_owners_make_them(stated: World):
    assert client_of(stated.ben).post(f"{URL}make/", {"month": "2026-01"}).status_code == 403


def test_who_may_read_them_is_led_there(stated: World):
    assert URL in client_of(stated.ben).get("/costs/").content.decode()
    assert URL not in client_of(stated.mia).get("/costs/").content.decode()
