"""Every tool with those who may use it: read when it changes, immutable in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.utils import timezone

from providers.credentials.envelope import Envelope
from providers.engine import request as engine
from providers.engine.call import Caller
from providers.engine.tools import HostedTool, typed
from providers.engine.tools.calculator import calculator
from providers.engine.tools.clock import current_time
from providers.engine.tools.mock import Case, Part, mock
from providers.engine.upstream import Upstream
from providers.models import Tool, ToolKind
from providers.tools.https import TIMEOUT_S, HttpsCall
from providers.tools.rows import Lookup, Wanted
from providers.virtual_keys.rows import Pool

BUILT_IN = {tool.name: tool for tool in (calculator(), current_time(timezone.now))}


@dataclass(frozen=True, slots=True)
class Offer:
    """`teams` and `users` are ids of who may use it, beside everybody where that is said."""

    tool: HostedTool
    for_everybody: bool = False
    teams: frozenset[int] = frozenset()
    users: frozenset[int] = frozenset()

    def is_for(self, caller: Caller) -> bool:
        return self.for_everybody or caller.team_id in self.teams or caller.user_id in self.users


@dataclass(frozen=True, slots=True)
class Means:
    """What tools work with; belongs to one event loop."""

    upstream: Upstream
    pool: Pool


def read() -> list[Tool]:
    """Read all of them. Sync: it asks the database."""
    return list(Tool.objects.prefetch_related("teams", "users"))


def offers(rows: Sequence[Tool], means: Means) -> list[Offer]:
    """Make what is switched on ready to run. A built-in tool without a row is everybody's."""
    known = {row.name for row in rows}
    untouched = [tool for name, tool in BUILT_IN.items() if name not in known]
    return [
        *(Offer(tool, for_everybody=True) for tool in untouched),
        *(_offer(row, means) for row in rows if row.is_enabled),
    ]


def hosted(row: Tool, means: Means) -> HostedTool:
    return _MAKERS[ToolKind(row.kind)](row, means)


def _offer(row: Tool, means: Means) -> Offer:
    return Offer(
        tool=hosted(row, means),
        for_everybody=row.for_everybody,
        teams=frozenset(team.pk for team in row.teams.all()),
        users=frozenset(user.pk for user in row.users.all()),
    )


def _built_in(row: Tool, means: Means) -> HostedTool:  # noqa: ARG001 - the others' signature
    return BUILT_IN[row.name]


def _https(row: Tool, means: Means) -> HostedTool:
    sealed = bytes(row.sealed)
    envelope = Envelope(sealed, bytes(row.wrapped_key), row.ring_key) if sealed else None
    call = HttpsCall(
        tool_id=row.pk,
        name=row.name,
        url=row.facts["url"],
        header=row.facts["header"],
        sealed=envelope,
        upstream=means.upstream,
    )
    return HostedTool(_told(row), call.run, timeout_s=TIMEOUT_S)


def _mock(row: Tool, means: Means) -> HostedTool:  # noqa: ARG001 - the others' signature
    facts = row.facts
    part = Part(
        result=facts["result"],
        cases=tuple(Case(each["arguments"], each["result"]) for each in facts["cases"]),
        error=facts["error"],
        delay_s=facts["delay_s"],
    )
    return mock(_told(row), part, asyncio.sleep)


def _rows(row: Tool, means: Means) -> HostedTool:
    columns = ", ".join(row.facts.get("columns", []))
    words = f"{row.description} Each row has: {columns}."
    return typed(Wanted, Lookup(row.pk, means.pool).run, name=row.name, description=words)


def _told(row: Tool) -> engine.Tool:
    return engine.Tool(row.name, row.description, row.parameters)


_MAKERS: dict[ToolKind, Callable[[Tool, Means], HostedTool]] = {
    ToolKind.BUILT_IN: _built_in,
    ToolKind.HTTPS: _https,
    ToolKind.MOCK: _mock,
    ToolKind.ROWS: _rows,
}
