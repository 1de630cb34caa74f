"""What the installation of the pictures has lived through. Runs inside it, by `manage.py shell`.

A month of traffic passes through the ledger's own functions, at the times it is said to have been,
so that costs, budgets and the check of the books agree.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone
from uuid_utils.compat import uuid7

from conversations.models import Conversation
from providers.catalog.routes import OwnPrice, set_price
from providers.engine.policy import NONE, FilterMode, NamedPattern, PredefinedAnswer
from providers.engine.presets import PRESETS
from providers.models import Deployment, HealthScore, Provider, Team, ToolKind, User, VirtualKey
from providers.policies import kept as policies
from providers.tools import kept as tools
from providers.tools import rows
from providers.tools.kept import Audience, Draft

DAYS = 30
_PRICES = {
    "openai/gpt-4o-mini": ("0.15", "0.60"),
    "anthropic/claude-sonnet-4-5": ("3", "15"),
    "groq/llama-3.1-8b-instant": ("0.05", "0.08"),
    "groq/openai/gpt-oss-120b": ("0.15", "0.60"),
}
"""Dollars per million tokens, in and out."""
_MODELS = (
    ("default", "openai/gpt-4o-mini", 8),
    ("writer", "anthropic/claude-sonnet-4-5", 4),
    ("fast", "groq/llama-3.1-8b-instant", 5),
)
"""Route, model, how often."""
CUSTOMERS = """name,plan,price,billing,renews
Tidewater Cycles,Team,149,"yearly, 10 % off",2027-03-01
Marlow & Finch,Starter,29,monthly,2026-12-04
Okapi Print,Enterprise,890,yearly,2027-01-15
"""


@dataclass(frozen=True)
class Asked:
    """One call as it was. `code`: it failed with it."""

    at: datetime
    user: int
    team: int
    key: int | None
    route: str
    model: str
    input_tokens: int
    output_tokens: int
    cost_nano: int
    code: str = ""


def live_through_a_month() -> None:
    owner, team = User.objects.get(email="ada@example.com"), Team.objects.get(name="Search")
    give_tools(owner, team)
    give_policy(owner, team)
    random.seed(7)
    now = timezone.now()
    for asked in sorted(_month(now), key=lambda one: one.at):
        _book(asked)
    _remember_scores(now)
    VirtualKey.objects.filter(name="search-api").update(last_used_at=now - timedelta(minutes=4))


def _month(now: datetime) -> Iterator[Asked]:
    people = _people()
    for day in range(DAYS):
        at = now - timedelta(days=DAYS - 1 - day)
        busy = (0.35 if at.weekday() > 4 else 1.0) * (1 + day / 40)
        for _ in range(int(60 * busy * random.uniform(0.8, 1.2))):
            yield _one(at - timedelta(minutes=random.randint(61, 700)), people)
    for _ in range(34):
        yield _one(now - timedelta(seconds=random.randint(20, 3500)), people, failing=False)


def _people() -> list[tuple[int, int, int | None, int]]:
    """Answer user, team, key, and how often they ask."""
    teams = {team.name: team.pk for team in Team.objects.all()}
    users = {user.email.split("@")[0]: user.pk for user in User.objects.all()}
    keys = {key.name: key.pk for key in VirtualKey.objects.all()}
    return [
        (users["ada"], teams["Search"], None, 3),
        (users["ben"], teams["Search"], keys.get("search-api"), 6),
        (users["cleo"], teams["Support"], None, 4),
    ]


def _one(at: datetime, people: list[Any], *, failing: bool = True) -> Asked:
    user, team, key, _ = random.choices(people, [one[-1] for one in people])[0]
    route, model, _ = random.choices(_MODELS, [one[-1] for one in _MODELS])[0]
    output = random.randint(150, 2400)
    tokens = output * random.randint(2, 9)
    code = "upstream_overloaded" if failing and random.random() < 0.02 else ""
    into, out = _PRICES[model]
    exact = 1000 * (tokens * Decimal(into) + output * Decimal(out))
    cost = 0 if code else round(exact)
    return Asked(at, user, team, key, route, model, tokens, output, cost, code)


def _book(asked: Asked) -> None:
    id = uuid7()
    reserve = (
        "SELECT item, verdict, budget_id "
        "FROM ledger_reserve(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
    )
    given = [[id], ["playground" if asked.key is None else "gateway"], [asked.user], [asked.team],
             [asked.key], [""], [asked.route], [asked.cost_nano], [False], [600.0],
             asked.at]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(reserve, given)
        verdicts = cursor.fetchall()
        if any(verdict == "window" for _, verdict, _ in verdicts):
            missing = [budget for _, _, budget in verdicts]
            cursor.execute("SELECT ledger_open_windows(%s, %s)", [missing, asked.at])
            cursor.execute(reserve, given)
            verdicts = cursor.fetchall()
        if verdicts[0][1] == "admitted":
            settle = "SELECT ledger_settle(%s, %s, %s)"
            cursor.execute(settle, [[id], json.dumps([_entry(id, asked)]), asked.at])


def _entry(id: Any, asked: Asked) -> dict[str, Any]:
    provider, model = asked.model.split("/", 1)
    went = (
        {"status": "failed", "error_code": asked.code, "http_status": 529}
        if asked.code
        else {"status": "ok", "error_code": "", "ttft_ms": random.randint(180, 900)}
    )
    return {
        "reservation": str(id),
        "attempt": 1,
        "at": asked.at.isoformat(),
        "provider": provider,
        "model": model,
        "upstream_request_id": "",
        "duration_ms": random.randint(900, 5000),
        "input_tokens": asked.input_tokens,
        "output_tokens": asked.output_tokens,
        "is_estimated": False,
        "is_unconfirmed": False,
        "cost_nano": asked.cost_nano,
        "price_version": "published",
        **went,
    }


def give_tools(owner: User, team: Team) -> None:
    tools.ensure_built_in()
    everybody = Audience(for_everybody=True, teams=[], users=[])
    ours = Audience(for_everybody=False, teams=[team], users=[])
    look_up = Draft("Customers with their plan, price and renewal.", ours)
    customers = tools.make(owner, "customers", ToolKind.ROWS, look_up, team)
    rows.replace(customers, rows.parse(CUSTOMERS.encode()))
    ask = Draft(
        "Where a parcel is, by the number of its order.",
        everybody,
        _object(order={"type": "string"}),
        {"url": "https://api.parcels.example.com/v2/status", "header": "X-Api-Key"},
        secret="pk-parcels-0123456789",
    )
    tools.make(owner, "parcel_status", ToolKind.HTTPS, ask)
    play = Draft(
        "Pays an order back. A mock while the prompt is being written.",
        ours,
        _object(order={"type": "string"}),
        {"result": '{"refunded": true}', "cases": []},
    )
    tools.make(owner, "refund", ToolKind.MOCK, play)


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


def give_policy(owner: User, team: Team) -> None:
    policy = replace(
        NONE,
        pii_input=FilterMode.REDACT,
        pii_output=FilterMode.FLAG,
        pii_allow=("support@example.com",),
        pii_patterns=(NamedPattern("Case number", r"CASE-\d{6}"),),
        answers=(
            PredefinedAnswer(
                "order", "We cannot look up orders just now. Please ask again in 10 min."
            ),
        ),
        simplified_tokens=800,
    )
    policies.save(team, policy, owner)


def settle_in() -> None:
    """Price the models, name the wizard's team, add a second one. Short names stay."""
    for deployment in Deployment.objects.select_related("provider"):
        if price := _PRICES.get(f"{deployment.provider.name}/{deployment.model}"):
            set_price(deployment, OwnPrice(*map(Decimal, price)))
    Team.objects.filter(slug="our-team").update(name="Search")
    Team.objects.create(name="Support", slug="support")


def show_own_addresses() -> None:
    """Say the vendors' addresses instead of the scripted provider's; nothing reads them anew."""
    for provider in Provider.objects.exclude(preset=""):
        base_url = PRESETS[provider.preset].base_url
        Provider.objects.filter(pk=provider.pk).update(base_url=base_url, is_local=False)


def _remember_scores(now: datetime) -> None:
    """Keep a score each ten minutes of the last day; one hour was bad."""
    for deployment in (None, *Deployment.objects.exclude(provider__name="demo")):
        is_unwell = deployment is None or deployment.model.startswith("claude")
        HealthScore.objects.bulk_create(
            HealthScore(
                deployment=deployment,
                at=now - timedelta(minutes=minutes),
                score=0.78 if is_unwell and 60 < minutes < 90 else random.choice((1, 1, 1, 0.97)),
                samples=random.randint(20, 60),
            )
            for minutes in range(1430, 0, -10)
        )


def date_conversations() -> None:
    """Spread them over the last days, newest first."""
    ages = (0, 2, 5, 26, 50, 75, 98, 171)
    for thread, hours in zip(Conversation.objects.order_by("-updated_at"), ages, strict=False):
        at = timezone.now() - timedelta(hours=hours, minutes=hours * 7 % 50)
        Conversation.objects.filter(pk=thread.pk).update(updated_at=at)
