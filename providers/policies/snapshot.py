"""Every team's policy as the engine's type: read when it changes, immutable in between."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from providers.engine.policy import AfterHangUp, FilterMode, NamedPattern, Policy, PredefinedAnswer
from providers.models import TeamPolicy


def read() -> Mapping[int, Policy]:
    """Read all of them by team id. Sync: it asks the database."""
    return {row.team_id: policy(row) for row in TeamPolicy.objects.all()}


def policy(row: TeamPolicy) -> Policy:
    return Policy(
        simplified_below=row.simplified_below,
        essential_below=row.essential_below,
        emergency_below=row.emergency_below,
        simplified_tokens=row.simplified_tokens,
        essential_tokens=row.essential_tokens,
        fast_route=row.fast_route,
        answers=tuple(PredefinedAnswer(one["match"], one["answer"]) for one in row.answers),
        pii_input=FilterMode(row.pii_input),
        pii_output=FilterMode(row.pii_output),
        pii_tools=FilterMode(row.pii_tools),
        pii_detectors=tuple(row.pii_detectors),
        pii_allow=tuple(row.pii_allow),
        pii_patterns=tuple(NamedPattern(one["name"], one["pattern"]) for one in row.pii_patterns),
        hang_up=AfterHangUp(row.hang_up),
        drain_s=row.drain_s,
        drain_usd=Decimal(row.drain_usd),
    )
