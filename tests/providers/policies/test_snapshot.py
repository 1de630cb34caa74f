"""A team's policy reaches the engine as it was written."""

from __future__ import annotations

import pytest
from django.db import IntegrityError

from providers.engine import policy as engine
from providers.models import FilterMode, Team, TeamPolicy
from providers.policies import snapshot


def test_a_team_without_wishes_is_not_in_it(team: Team) -> None:
    assert snapshot.read() == {}


def test_what_was_written_arrives_and_the_rest_is_unset(team: Team) -> None:
    TeamPolicy.objects.create(
        team=team,
        simplified_tokens=300,
        pii_input=FilterMode.REDACT,
        answers=[{"match": "opening hours", "answer": "Nine to five."}],
        pii_patterns=[{"name": "order", "pattern": r"ORD-\d+"}],
    )
    assert snapshot.read()[team.pk] == engine.Policy(
        simplified_tokens=300,
        pii_input=engine.FilterMode.REDACT,
        answers=(engine.PredefinedAnswer("opening hours", "Nine to five."),),
        pii_patterns=(engine.NamedPattern("order", r"ORD-\d+"),),
    )


def test_a_threshold_is_a_share(team: Team) -> None:
    with pytest.raises(IntegrityError, match="simplified_below_is_a_share"):
        TeamPolicy.objects.create(team=team, simplified_below=90)
