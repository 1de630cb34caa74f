"""Each threshold of a budget is told once in a window: on pages, by e-mail, by a webhook."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.core import mail as outgoing
from django.utils import timezone
from pydantic import SecretStr

from gaiweb.config import ConfigInvalid, load
from gaiweb.config.told import Alerts, Email
from providers.alerts import mail, outbox, reached, shown, webhook
from providers.engine.errors import UpstreamError
from providers.engine.upstream import Upstream
from providers.ledger import budgets
from providers.models import AlertMessage, BudgetAlert, BudgetWindow, Channel
from providers.people.standing import standing_of_user
from providers.tools import letters
from tests.providers.people.conftest import World, world
from tests.providers.views.conftest import As, as_user

__all__ = ["as_user", "world"]

SECRET = "a secret of sixteen and more"
HOOK = "https://hooks.example.com/budgets?to=team"


def a_budget(scope: str = "team:search", *, is_hard: bool = False, **policy: Any) -> BudgetWindow:
    """Of $100 a month."""
    budget = budgets.set_budget(
        scope=budgets.parse_scope(scope),
        limit_usd=Decimal(100),
        period="month",
        is_hard=is_hard,
        policy=budgets.Policy(**policy),
    )
    return BudgetWindow.objects.get(budget=budget)


def spend(window: BudgetWindow, dollars: float) -> list[int]:
    """Answer the thresholds that are told of it now."""
    known = set(BudgetAlert.objects.values_list("pk", flat=True))
    BudgetWindow.objects.filter(pk=window.pk).update(spent_nano=int(dollars * 10**9))
    new = reached.tell(timezone.now())
    found = BudgetAlert.objects.exclude(pk__in=known).order_by("threshold")
    assert len(found) == new
    return [alert.threshold for alert in found]


@pytest.fixture
def sends(settings: Any) -> None:
    """Configure both ways out."""
    settings.GAIWEB = django_settings.GAIWEB.with_values(
        "test",
        email=Email(host="smtp.example.com", sender="gai@example.com"),
        alerts=Alerts(webhook_url=HOOK, webhook_secret=SecretStr(SECRET)),
    )


@dataclass
class Clock:
    at: datetime

    def __call__(self) -> datetime:
        return self.at


def test_each_threshold_is_told_once_in_a_window(world: World) -> None:
    window = a_budget()
    assert [spend(window, dollars) for dollars in (49, 50, 51, 79.99)] == [[], [50], [], []]
    assert spend(window, 120) == [80, 100]
    assert spend(window, 130) == []


def test_the_next_window_tells_anew(world: World) -> None:
    window = a_budget("org")
    spend(window, 60)
    BudgetWindow.objects.filter(pk=window.pk).update(
        starts_at=window.starts_at - timedelta(days=60),
        ends_at=window.starts_at,
    )
    later = BudgetWindow.objects.create(
        budget=window.budget, starts_at=window.starts_at, ends_at=window.ends_at
    )
    assert spend(later, 55) == [50]


def test_own_thresholds_and_a_hard_limit_that_is_seldom_spent_to_the_cent(world: World) -> None:
    assert spend(a_budget(thresholds=(30, 150)), 149) == [30]
    assert spend(a_budget("org", is_hard=True), 99.1) == [50, 80, 100]


def test_of_several_at_once_the_highest_is_sent_to_whom_it_concerns(
    world: World, sends: None
) -> None:
    spend(a_budget(), 85)
    messages = AlertMessage.objects.order_by("channel", "recipient")
    assert [(m.alert.threshold, m.channel, m.recipient) for m in messages] == [
        (80, "email", "ada@example.com"),
        (80, "email", "ben@example.com"),
        (80, "webhook", ""),
    ]


def test_a_persons_budget_is_told_to_that_person_and_owners(world: World, sends: None) -> None:
    spend(a_budget("user:mia@example.com"), 50)
    to = AlertMessage.objects.filter(channel="email").values_list("recipient", flat=True)
    assert sorted(to) == ["ada@example.com", "mia@example.com"]


def test_nothing_is_sent_where_nothing_is_configured(world: World) -> None:
    assert spend(a_budget(), 85) == [50, 80]
    assert not AlertMessage.objects.exists()


def test_a_mail_says_how_much_until_when_and_what_happens_then(world: World, sends: None) -> None:
    spend(a_budget(is_hard=True, time_zone="Europe/Berlin"), 80)
    assert outbox.send_due({Channel.EMAIL: mail.send, Channel.WEBHOOK: drop}, timezone.now) == 3
    letter = next(m for m in outgoing.outbox if m.to == ["ben@example.com"])
    assert letter.from_email == "gai@example.com"
    assert letter.subject == (
        "80 % of the monthly budget of team Search is used: $80.00 of $100.00"
    )
    for words in ("It resets on 1 ", "at 00:00 (Europe/Berlin)", "refused", "/settings/budgets/"):
        assert words in letter.body
    assert outbox.send_due({Channel.EMAIL: mail.send, Channel.WEBHOOK: drop}, timezone.now) == 0
    assert len(outgoing.outbox) == 2


def drop(message: AlertMessage) -> None:
    """Take it, and do nothing."""


async def test_the_webhook_is_signed_and_its_id_stays_when_it_is_sent_again() -> None:
    seen: list[httpx.Request] = []
    codes = iter([500, 204])

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(next(codes))

    upstream = Upstream(transport=httpx.MockTransport(respond))
    headers = {"webhook-id": "budget-alert-7", "content-type": "application/json"}
    with pytest.raises(UpstreamError, match="status 500"):
        await letters.post(upstream, HOOK, headers, b"{}")
    await letters.post(upstream, HOOK, headers, b"{}")
    assert [str(request.url) for request in seen] == [HOOK, HOOK]
    assert [request.headers["webhook-id"] for request in seen] == ["budget-alert-7"] * 2


async def test_a_webhook_never_leads_into_the_private_network() -> None:
    with pytest.raises(UpstreamError, match="address"):
        await letters.post(Upstream(), "https://127.0.0.1/x", {}, b"{}")


def test_what_the_webhook_is_told(world: World, sends: None) -> None:
    spend(a_budget(is_hard=True), 81)
    letter = webhook.letter_of(AlertMessage.objects.get(channel="webhook"), timezone.now())
    assert letter is not None
    told = json.loads(letter.body)
    assert told["type"] == "budget.threshold_reached"
    data = told["data"]
    assert (data["threshold_percent"], data["spent_usd"]) == (80, "81.000000000")
    assert (data["scope"], data["at_limit"]) == ("team", "refuse")
    name, at = letter.headers["webhook-id"], letter.headers["webhook-timestamp"]
    signed = f"{name}.{at}.".encode() + letter.body
    expected = base64.b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).decode()
    assert letter.headers["webhook-signature"] == f"v1,{expected}"
    packed = "whsec_" + base64.b64encode(SECRET.encode()).decode()
    assert webhook.signature_of(packed, signed) == expected


def test_a_failed_message_is_tried_later_and_later_and_then_given_up(
    world: World, sends: None
) -> None:
    def fail(message: AlertMessage) -> None:
        raise outbox.NotSent("The webhook answered with status 500.")

    spend(a_budget(), 80)
    AlertMessage.objects.filter(channel="email").delete()
    clock = Clock(timezone.now())
    senders = {Channel.WEBHOOK: fail, Channel.EMAIL: fail}
    waits = []
    for _ in range(outbox.MOST_ATTEMPTS):
        assert outbox.send_due(senders, clock) == 0
        message = AlertMessage.objects.get()
        waits.append(message.due_at and (message.due_at - clock.at).total_seconds() / 60)
        clock.at += timedelta(days=1)
    assert waits == [1, 2, 4, 8, 16, 32, 64, None]
    assert message.fault == "The webhook answered with status 500."
    assert outbox.send_due(senders, clock) == 0
    assert AlertMessage.objects.get().attempts == outbox.MOST_ATTEMPTS


def test_what_a_worker_died_over_is_sent_by_the_next_after_a_while(
    world: World, sends: None
) -> None:
    def die(message: AlertMessage) -> None:
        raise RuntimeError("killed")

    spend(a_budget(), 80)
    AlertMessage.objects.filter(channel="email").delete()
    clock = Clock(timezone.now())
    with pytest.raises(RuntimeError):
        outbox.send_due({Channel.WEBHOOK: die}, clock)
    sent: list[int] = []
    taking = {Channel.WEBHOOK: lambda message: sent.append(message.pk)}
    outbox.send_due(taking, clock)
    assert sent == []
    clock.at += timedelta(minutes=6)
    outbox.send_due(taking, clock)
    assert len(sent) == 1


def test_owners_and_admins_of_the_team_see_it_on_each_page_until_they_put_it_away(
    world: World, as_user: As
) -> None:
    spend(a_budget(), 85)
    words = b"80 % of the monthly budget of team Search is used"
    ada, ben, mia, cleo = (as_user(one) for one in (world.ada, world.ben, world.mia, world.cleo))
    assert [words in each.get("/costs/").content for each in (ada, ben, mia, cleo)] == [
        True,
        True,
        False,
        False,
    ]
    alert = BudgetAlert.objects.get(threshold=80)
    assert cleo.post(f"/settings/budgets/alerts/{alert.pk}/put-away/").status_code == 404
    away = ben.post(
        f"/settings/budgets/alerts/{alert.pk}/put-away/", headers={"HX-Request": "true"}
    )
    assert (away.status_code, away.content) == (200, b"")
    assert words not in ben.get("/costs/").content
    assert words in ada.get("/costs/").content
    spend(alert.window, 101)
    assert b"100 % of the monthly budget of team Search" in ben.get("/costs/").content


def test_one_question_to_the_database_finds_them(
    world: World, django_assert_num_queries: Any
) -> None:
    spend(a_budget(), 85)
    standing = standing_of_user(world.ada)
    with django_assert_num_queries(1):
        (alert,) = shown.shown_to(standing, timezone.now())
    assert alert.threshold == 80


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"GAIWEB_ALERTS_WEBHOOK_URL": HOOK}, "needs GAIWEB_ALERTS_WEBHOOK_SECRET"),
        ({"GAIWEB_ALERTS_WEBHOOK_URL": "http://a.example"}, "starts with https://"),
        ({"GAIWEB_EMAIL_HOST": "smtp.example.com"}, "needs GAIWEB_EMAIL_SENDER"),
    ],
)
def test_half_a_configuration_is_refused_by_name(
    tmp_path: Any, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(ConfigInvalid) as fault:
        load({"GAIWEB_DATA_DIR": str(tmp_path), **environ})
    assert words in str(fault.value)


def test_the_clock_rings_for_both() -> None:
    from gaiweb.celery import BEAT

    assert {"providers.tasks.tell_of_budgets", "providers.tasks.send_alerts"} <= set(BEAT)
