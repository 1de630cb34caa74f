"""The levels in force, as every process reads them: what was judged, and what people have set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from providers.engine.levels import Level
from providers.engine.ports import BreakerWord, Forced
from providers.health import judgement
from providers.health.score import Score
from providers.models import BreakerOrder, HealthState, LevelOverride


@dataclass(frozen=True, slots=True)
class Override:
    """`team_id` None: for all."""

    id: int
    level: Level
    team_id: int | None
    reason: str
    actor: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for somebody. `override` None: the score decides."""

    level: Level
    since: datetime
    override: Override | None = None


@dataclass(frozen=True, slots=True)
class Levels:
    """`judged_at` None: nobody has judged yet. `teams`: those with limits of their own.

    `scores` by deployment id, `providers` by name. `forced` are the operators' words on breakers,
    `resets` the ids of orders that every process carries out once.
    """

    common: Standing
    score: Score | None = None
    judged_at: datetime | None = None
    teams: Mapping[int, Standing] = field(default_factory=dict[int, Standing])
    scores: Mapping[int, Score] = field(default_factory=dict[int, Score])
    providers: Mapping[str, Score] = field(default_factory=dict[str, Score])
    overrides: tuple[Override, ...] = ()
    forced: Mapping[int, Forced] = field(default_factory=dict[int, Forced])
    resets: tuple[tuple[int, int], ...] = ()

    def standing(self, team_id: int | None, now: datetime) -> Standing:
        """Find what holds: the team's override, that for all, the team's ladder, the common one.

        An override that has expired holds no longer, whether the row was swept or not.
        """
        live = [each for each in self.overrides if each.until > now]
        for scope in (team_id, None):
            for each in live:
                if each.team_id == scope:
                    return Standing(each.level, each.since, each)
        return self.common if team_id is None else self.teams.get(team_id, self.common)


UNKNOWN = Levels(Standing(Level.FULL, datetime.min.replace(tzinfo=UTC)))


def read(now: datetime) -> Levels:
    """Read all of it. Sync."""
    state = HealthState.objects.filter(pk=1).first() or HealthState(since=now)
    return Levels(
        common=Standing(Level(state.level), state.since),
        score=Score.of_facts(state.samples, state.deductions) if state.judged_at else None,
        judged_at=state.judged_at,
        teams={int(team): standing_of(kept) for team, kept in state.teams.items()},
        scores={int(id): one for id, one in judgement.unpacked(state.deployments).items()},
        providers=judgement.unpacked(state.providers),
        overrides=tuple(_overrides(now)),
        forced=_forced(now),
        resets=_resets(now),
    )


def standing_of(kept: Mapping[str, str]) -> Standing:
    return Standing(Level(kept["level"]), datetime.fromisoformat(kept["since"]))


def _overrides(now: datetime) -> Iterator[Override]:
    rows = LevelOverride.objects.filter(ended_at=None, expires_at__gt=now).order_by("id")
    for row in rows:
        yield Override(
            id=row.pk,
            level=Level(row.level),
            team_id=row.team_id,
            reason=row.reason,
            actor=row.actor,
            since=row.created_at,
            until=row.expires_at,
        )


def _forced(now: datetime) -> dict[int, Forced]:
    rows = BreakerOrder.objects.exclude(word=BreakerOrder.Word.RESET)
    return {
        row.deployment_id: Forced(BreakerWord(row.word), row.reason, row.expires_at)
        for row in rows.filter(ended_at=None, expires_at__gt=now).order_by("id")
    }


def _resets(now: datetime) -> tuple[tuple[int, int], ...]:
    rows = BreakerOrder.objects.filter(word=BreakerOrder.Word.RESET, expires_at__gt=now)
    return tuple(rows.order_by("id").values_list("id", "deployment_id"))
