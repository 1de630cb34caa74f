"""Levels and breakers set by hand: by operators, asked twice, with reason and end, shown to all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db.models import F
from django.test import Client
from django.utils import timezone

from providers.health import decide, history, judgement
from providers.health.ladder import Ladder
from providers.health.score import Deduction, Score
from providers.models import AuditEntry, BreakerOrder, HealthScore, HealthState, LevelOverride
from tests.providers import spent
from tests.providers.people.conftest import World


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def client(world: World, name: str) -> Client:
    made = Client()
    made.force_login(getattr(world, name))
    return made


def judged(points: float, *ids: int) -> None:
    lost = (Deduction(100 - points, "1 of 2 breakers open"),) if points < 100 else ()
    now = timezone.now()
    found = judgement.Judgement(now, Score(40, lost), {id: Score(12, lost) for id in ids})
    decide.decide(found, Ladder(), {}, automatic=True)
    history.keep_scores(found)


def level(**fields: Any) -> dict[str, Any]:
    return {"level": "essential", "scope": "all", "minutes": "15", "reason": "Drill.", **fields}


def test_a_level_is_set_only_when_it_was_asked_twice(world: World) -> None:
    otto = client(world, "otto")
    first = otto.post("/health/level/", level())
    assert "Is this what you want?" in first.content.decode()
    assert "limited to 200 tokens" in first.content.decode()
    assert not LevelOverride.objects.exists()

    second = otto.post("/health/level/", level(confirmed="yes"))
    assert second.status_code == 302
    made = LevelOverride.objects.get()
    assert (made.level, made.reason, made.actor) == ("essential", "Drill.", world.otto.email)
    assert AuditEntry.objects.filter(action__startswith="level.").get().action == "level.set"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"reason": ""}, "Say why"),
        ({"minutes": "99999"}, "valid choice"),
        ({"level": "none"}, "valid choice"),
        ({"scope": "999999"}, "valid choice"),
    ],
)
def test_what_is_not_whole_is_said_beside_its_field(
    world: World, fields: dict[str, str], words: str
) -> None:
    answer = client(world, "otto").post("/health/level/", level(confirmed="yes", **fields))
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not LevelOverride.objects.exists()


def test_what_was_set_is_shown_with_its_end_and_ended_at_a_press(world: World) -> None:
    spent.deployment("openai/gpt-a")
    otto = client(world, "otto")
    otto.post("/health/level/", level(confirmed="yes", scope=str(world.search.pk)))
    page = otto.get("/health/").content.decode()
    assert "Set by hand for" in page
    assert "Ends by itself at" in page
    made = LevelOverride.objects.get()
    otto.post(f"/health/level/{made.pk}/end/")
    assert "Set by hand for" not in otto.get("/health/").content.decode()
    assert LevelOverride.objects.get().ended_at is not None


def test_everybody_reads_what_is_reduced_since_when_and_why(world: World) -> None:
    judged(80)
    text = client(world, "ben").get("/health/banner/").content.decode()
    assert "Reduced mode since" in text
    assert "Answers are limited to 500 tokens and tools are off." in text
    assert "1 of 2 breakers open" in text
    assert 'href="/health/"' not in text
    assert "Reduced mode 1" in client(world, "ben").get("/health/pill/").content.decode()
    assert (
        "Reduced mode since"
        in client(world, "ben").get("/playground/", follow=True).content.decode()
    )


def test_at_full_there_is_no_banner(world: World) -> None:
    judged(100)
    assert "notice" not in client(world, "ben").get("/health/banner/").content.decode()


def test_only_the_team_that_is_meant_is_told(world: World) -> None:
    otto = client(world, "otto")
    otto.post("/health/level/", level(confirmed="yes", scope=str(world.billing.pk)))
    assert "Reduced" not in client(world, "ben").get("/health/banner/").content.decode()
    assert "Reduced" in client(world, "cleo").get("/health/banner/").content.decode()


def test_the_page_explains_the_score_and_marks_the_level_in_force(world: World) -> None:
    one = spent.deployment("openai/gpt-a")
    judged(100, one.pk)
    HealthScore.objects.update(at=F("at") - timedelta(minutes=10))
    judged(80, one.pk)
    text = client(world, "otto").get("/health/").content.decode()
    assert text.count("100 - 20 (1 of 2 breakers open) = 80") >= 2
    assert "n = 40 requests" in text
    assert "n = 12 attempts in the window: few samples" in text
    assert "Level in force: simplified" in text
    assert "Score of the last 3 hours: 80 at its lowest, 80 last" in text
    assert "full → simplified" in text


def test_a_judge_that_is_late_is_noticed(world: World) -> None:
    spent.deployment("openai/gpt-a")
    judged(100)
    HealthState.objects.update(judged_at=timezone.now() - timedelta(minutes=5))
    assert (
        "the process that judges is late" in client(world, "otto").get("/health/").content.decode()
    )


def test_a_breaker_is_forced_and_let_go_again(world: World) -> None:
    one = spent.deployment("openai/gpt-a")
    otto = client(world, "otto")
    wish = {"word": "open", "minutes": "60", "reason": "Their outage."}
    assert "Nothing is sent to openai/gpt-a for 1 hour" in (
        otto.post(f"/health/breaker/{one.pk}/", wish).content.decode()
    )
    otto.post(f"/health/breaker/{one.pk}/", {**wish, "confirmed": "yes"})
    page = otto.get("/health/").content.decode()
    assert "Forced open" in page
    assert "Their outage." in page
    assert "1 breaker held by hand" in otto.get("/health/banner/").content.decode()
    assert "held by hand" not in client(world, "ben").get("/health/banner/").content.decode()
    otto.post(f"/health/breaker/end/{BreakerOrder.objects.get().pk}/")
    assert "Forced open" not in otto.get("/health/").content.decode()


def test_forms_carry_their_token(world: World) -> None:
    """An included fragment has it only when it is given the page's context."""
    one = spent.deployment("openai/gpt-a")
    otto = client(world, "otto")
    otto.post("/health/level/", level(confirmed="yes"))
    otto.post(
        f"/health/breaker/{one.pk}/",
        {"word": "open", "minutes": "60", "reason": "x", "confirmed": "yes"},
    )
    page = otto.get("/health/").content.decode()
    posts = page.count('method="post"')
    assert page.count("csrfmiddlewaretoken") == posts


@pytest.mark.parametrize("name", ["ben", "mia"])
def test_who_is_no_operator_sets_nothing(world: World, name: str) -> None:
    answer = client(world, name).post("/health/level/", level(confirmed="yes"))
    assert answer.status_code == 403
    assert not LevelOverride.objects.exists()


def test_reasons_are_escaped(world: World) -> None:
    otto = client(world, "otto")
    otto.post("/health/level/", level(confirmed="yes", reason="<b>now</b>"))
    for address in ("/health/", "/health/banner/"):
        assert "<b>now</b>" not in otto.get(address).content.decode()
