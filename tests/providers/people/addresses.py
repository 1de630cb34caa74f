"""Every address of the product, with what a test needs to call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from conversations.models import Attachment, BatchJob, Conversation, Message, Run, RunState
from providers import catalog, credentials
from providers.ledger.budgets import parse_scope, set_budget
from providers.models import (
    Budget,
    BudgetAlert,
    BudgetWindow,
    Credential,
    Quota,
    Reservation,
    Route,
    Statement,
    Team,
    Tool,
    ToolKind,
    User,
    VirtualKey,
)
from tests.providers.people.conftest import World


def a_route() -> Route:
    return catalog.lead_demo_route(catalog.add_provider(name="demo", kind="demo"))


def a_budget(team: Team) -> Budget:
    return set_budget(
        scope=parse_scope(f"team:{team.slug}"), limit_usd=Decimal(5), period="month", is_hard=True
    )


def a_thread(team: Team, user: User) -> Conversation:
    thread = Conversation.objects.create(team=team, user=user, route="demo")
    Message.objects.create(conversation=thread, role="user", text="Hello")
    Run.objects.create(conversation=thread, user=user, state=RunState.DONE)
    return thread


def a_picture(team: Team, user: User) -> Attachment:
    question = a_thread(team, user).messages.get()
    return Attachment.objects.create(message=question, media_type="image/png", data=b"1")


def a_receipt(team: Team, user: User) -> UUID:
    facts = {"source": "gateway", "route": "demo", "expires_at": timezone.now()}
    return Reservation.objects.create(id=uuid4(), team=team, user=user, **facts).pk


def a_key(team: Team, user: User) -> VirtualKey:
    unique = f"{team.pk}-{user.pk}"
    values = {"prefix": unique, "digest": unique.encode(), "team": team}
    return VirtualKey.objects.get_or_create(user=user, name="laptop", defaults=values)[0]


def a_tool(team: Team) -> Tool:
    values = {"kind": ToolKind.MOCK, "description": "Plays.", "team": team}
    facts = {"result": "ok", "cases": [], "error": "", "delay_s": 0}
    defaults = {**values, "facts": facts}
    return Tool.objects.get_or_create(name=f"tool-{team.pk}", defaults=defaults)[0]


def a_batch(team: Team, user: User) -> BatchJob:
    return BatchJob.objects.get_or_create(team=team, user=user, name="Many", route="demo")[0]


def a_credential(team: Team, user: User) -> Credential:
    provider = catalog.add_provider(name="acme", kind="openai_chat", secret="sk-of-all")
    return credentials.add(provider, "sk-own", credentials.Holder(user=user))


def a_statement(team: Team) -> Statement:
    facts = {"time_zone": "UTC", "made_at": timezone.now(), "cost_nano": 0, "number": team.pk}
    month = date(2026, 10, 1)
    return Statement.objects.get_or_create(team=team, month=month, defaults=facts)[0]


def an_alert(team: Team) -> BudgetAlert:
    window = BudgetWindow.objects.get(budget=a_budget(team))
    facts = {"spent_nano": 1, "limit_nano": 1}
    return BudgetAlert.objects.get_or_create(window=window, threshold=50, defaults=facts)[0]


SAMPLES: dict[str, Callable[[World, Team, User], object]] = {
    "token": lambda _world, _team, _user: "no-such-token",
    "quota_id": lambda _world, team, _user: Quota.objects.get_or_create(team=team, rpm=5)[0].pk,
    "alert_id": lambda _world, team, _user: an_alert(team).pk,
    "key_id": lambda _world, team, user: a_key(team, user).pk,
    "credential_id": lambda _world, team, user: a_credential(team, user).pk,
    "provider_id": lambda _world, _team, _user: a_route().targets.get().deployment.provider_id,
    "route_id": lambda _world, _team, _user: a_route().pk,
    # Belongs to no team; one that exists would be asked for real.
    "deployment_id": lambda _world, _team, _user: 0,
    "number": lambda _world, team, _user: a_statement(team).number,
    "price_id": lambda _world, _team, _user: 0,
    "tool_id": lambda _world, team, _user: a_tool(team).pk,
    # Nobody's: what is set by hand is for operators, whatever it is about.
    "override_id": lambda _world, _team, _user: 0,
    "order_id": lambda _world, _team, _user: 0,
    "receipt_id": lambda _world, team, user: a_receipt(team, user),
    "budget_id": lambda _world, team, _user: a_budget(team).pk,
    "conversation_id": lambda _world, team, user: a_thread(team, user).pk,
    "batch_id": lambda _world, team, user: a_batch(team, user).pk,
    "attachment_id": lambda _world, team, user: a_picture(team, user).pk,
    "message_id": lambda _world, team, user: a_thread(team, user).messages.get().pk,
    "run_id": lambda _world, team, user: a_thread(team, user).runs.get().pk,
    "membership_id": lambda world, team, user: world.membership(user, team).pk,
}
"""How to fill an address's argument with a thing of that team, held by that person."""

NOT_WALKED = {"admin"}
"""Namespaces with one rule for all: their start page stands for them."""


@dataclass(frozen=True)
class Address:
    name: str
    arguments: tuple[str, ...]

    def of_team(self, world: World, team: Team, user: User) -> str:
        kwargs = {name: SAMPLES[name](world, team, user) for name in self.arguments}
        return reverse(self.name, kwargs=kwargs)


def every_address() -> list[Address]:
    walked = _walk(get_resolver(), ())
    return [each for each in walked if each.name.partition(":")[0] not in NOT_WALKED]


def _walk(
    resolver: URLResolver, namespaces: tuple[str, ...], given: tuple[str, ...] = ()
) -> Iterator[Address]:
    for entry in resolver.url_patterns:
        arguments = given + tuple(entry.pattern.converters)
        if isinstance(entry, URLPattern):
            yield Address(":".join((*namespaces, entry.name or "")), arguments)
        else:
            inner = (*namespaces, entry.namespace) if entry.namespace else namespaces
            yield from _walk(entry, inner, arguments)
