"""What becomes of the tools in the table: made, changed, given to people, switched, removed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from providers import audit
from providers.engine import json_schema
from providers.engine.errors import InvalidRequest
from providers.models import Team, Tool, ToolKind, User
from providers.people.permissions import Capability
from providers.people.standing import Standing
from providers.tools import secret as secrets
from providers.tools.snapshot import BUILT_IN


class ToolRefused(Exception):
    """`field` is the name of the faulty one; the message says why, and the way out."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


@dataclass(frozen=True, slots=True)
class Audience:
    """Who may use a tool: everybody, or members of `teams` and `users`."""

    for_everybody: bool
    teams: Iterable[Team]
    users: Iterable[User]


@dataclass(frozen=True, slots=True)
class Draft:
    """What a tool is to be. None leaves a part as it is; so does an empty secret."""

    description: str
    audience: Audience
    parameters: Mapping[str, Any] | None = None
    facts: Mapping[str, Any] | None = None
    secret: str = ""


def visible_to(standing: Standing) -> QuerySet[Tool]:
    """All to operators; to a team's admin the team's own and what the team may use."""
    if standing.may(Capability.MANAGE_TOOLS):
        return Tool.objects.all()
    own = Q(team=standing.team) | Q(teams=standing.team) | Q(for_everybody=True)
    return Tool.objects.filter(own).distinct()


def changeable_by(standing: Standing) -> QuerySet[Tool]:
    if standing.may(Capability.MANAGE_TOOLS):
        return Tool.objects.all()
    return Tool.objects.filter(team=standing.team) if standing.team else Tool.objects.none()


def ensure_built_in() -> None:
    """Give those without a row one, so that they can be changed."""
    for tool in BUILT_IN.values():
        Tool.objects.get_or_create(
            name=tool.name,
            defaults={
                "kind": ToolKind.BUILT_IN,
                "description": tool.tool.description,
                "for_everybody": True,
            },
        )


@transaction.atomic
def make(by: User, name: str, kind: ToolKind, draft: Draft, team: Team | None = None) -> Tool:
    """Raise ToolRefused."""
    _check(draft)
    if name in BUILT_IN:
        raise ToolRefused("name", "A built-in tool has this name. Choose another.")
    try:
        with transaction.atomic():
            tool = Tool.objects.create(
                name=name,
                kind=kind,
                description=draft.description,
                team=team,
                parameters=draft.parameters or {},
                facts=draft.facts or {},
            )
    except IntegrityError:
        raise ToolRefused("name", "There is a tool of this name. Choose another.") from None
    if draft.secret:
        secrets.keep(tool, draft.secret)
    give(tool, draft.audience)
    audit.write(by, "tool.made", name, after=told(tool))
    return tool


@transaction.atomic
def change(by: User, tool: Tool, draft: Draft) -> None:
    """Raise ToolRefused."""
    _check(draft)
    before = told(tool)
    _check_secret_stays(tool, draft)
    tool.description = draft.description
    tool.parameters = tool.parameters if draft.parameters is None else draft.parameters
    tool.facts = tool.facts if draft.facts is None else draft.facts
    tool.save()
    if draft.secret:
        secrets.keep(tool, draft.secret)
    give(tool, draft.audience)
    audit.write(by, "tool.changed", tool.name, before=before, after=told(tool))


def give(tool: Tool, audience: Audience) -> None:
    tool.for_everybody = audience.for_everybody
    tool.save(update_fields=["for_everybody"])
    tool.teams.set(audience.teams)
    tool.users.set(audience.users)


@transaction.atomic
def switch(by: User, tool: Tool) -> None:
    before = told(tool)
    tool.is_enabled = not tool.is_enabled
    tool.save(update_fields=["is_enabled"])
    audit.write(by, "tool.switched", tool.name, before=before, after=told(tool))


@transaction.atomic
def remove(by: User, tool: Tool) -> None:
    """Raise ToolRefused for what is built in."""
    if tool.kind == ToolKind.BUILT_IN:
        raise ToolRefused("", f"{tool.name} is built in; switch it off instead.")
    audit.write(by, "tool.removed", tool.name, before=told(tool))
    tool.delete()


def told(tool: Tool) -> dict[str, Any]:
    """Facts for the audit log: never a secret, nor what a mock says."""
    facts = {name: tool.facts[name] for name in ("url", "header", "count") if name in tool.facts}
    return {
        "kind": tool.kind,
        "is_enabled": tool.is_enabled,
        "for_everybody": tool.for_everybody,
        "teams": sorted(tool.teams.values_list("slug", flat=True)),
        "users": sorted(tool.users.values_list("email", flat=True)),
        **facts,
    }


def _check(draft: Draft) -> None:
    parameters, facts = draft.parameters, draft.facts or {}
    if parameters is not None:
        try:
            json_schema.check(parameters, "parameters")
        except InvalidRequest as fault:
            raise ToolRefused("parameters", fault.message) from None
        if parameters.get("type") != "object":
            raise ToolRefused("parameters", 'The schema must be of an object: "type": "object".')
    if "\\u0000" in json.dumps([parameters, facts]):
        raise ToolRefused("", "A NUL character cannot be kept. Leave it out.")
    if "url" in facts:
        _check_url(facts["url"])


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ToolRefused("url", "This is no address.") from None
    if parts.scheme != "https" or not parts.hostname or parts.username is not None:
        raise ToolRefused("url", "It must be https://host/path, without a name or password.")


def _check_secret_stays(tool: Tool, draft: Draft) -> None:
    """Refuse to send it elsewhere: who edits an address could read it at a server of theirs."""
    facts = draft.facts
    if not tool.sealed or draft.secret or facts is None or "url" not in facts:
        return
    if urlsplit(facts["url"]).netloc != urlsplit(tool.facts["url"]).netloc:
        raise ToolRefused(
            "secret", "The stored secret does not follow to another host. Type it again."
        )
