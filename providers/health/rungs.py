"""The ladder in words: what each level is for, when it applies, what it takes from users."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from providers.engine.levels import Level
from providers.health.in_force import Caps
from providers.health.ladder import Ladder
from providers.health.levels import Levels, Standing

TONES = {
    Level.FULL: "ok",
    Level.SIMPLIFIED: "warn",
    Level.ESSENTIAL: "warn",
    Level.EMERGENCY: "bad",
}


@dataclass(frozen=True, slots=True)
class Rung:
    """`rule`: when it is entered; `way_out`: when it is left upwards, empty for the best."""

    level: Level
    rule: str
    way_out: str
    effect: str
    is_in_force: bool

    @property
    def tone(self) -> str:
        return TONES[self.level]


@dataclass(frozen=True, slots=True)
class Banner:
    """What everybody sees while less is offered. `until` None: nobody knows."""

    level: Level
    since: datetime
    effect: str
    why: str
    until: datetime | None = None

    @property
    def tone(self) -> str:
        return TONES[self.level]


def rungs(standing: Standing, ladder: Ladder, caps: Caps) -> list[Rung]:
    return [
        Rung(
            level=level,
            rule=_rule(level, ladder),
            way_out=_way_out(level, ladder),
            effect=effect(level, caps),
            is_in_force=level is standing.level,
        )
        for level in Level
    ]


def effect(level: Level, caps: Caps) -> str:
    """Say what is different, in a user's words."""
    if level is Level.FULL:
        return "Everything works as asked."
    if level is Level.EMERGENCY:
        return "Only saved answers are given; other prompts are refused for now."
    tokens = caps.simplified_tokens if level is Level.SIMPLIFIED else caps.essential_tokens
    short = f"Answers are limited to {tokens:,} tokens and tools are off."
    return short if level is Level.SIMPLIFIED else f"{short} Answers come in one piece."


def banner(team_id: int | None, levels: Levels, caps: Caps, now: datetime) -> Banner | None:
    """Tell a team, whose `caps` these are; None: everything is offered."""
    standing = levels.standing(team_id, now)
    if standing.level is Level.FULL:
        return None
    override = standing.override
    return Banner(
        level=standing.level,
        since=standing.since,
        effect=effect(standing.level, caps),
        why=_why(levels, standing),
        until=override.until if override else None,
    )


def _why(levels: Levels, standing: Standing) -> str:
    if standing.override is not None:
        return f"An operator has set it: {standing.override.reason}"
    lost = [each.reason for each in levels.score.deductions if each.counts] if levels.score else []
    if not lost:
        return "The system is recovering; all comes back step by step."
    return f"The system does worse than usual: {', '.join(lost)}."


def _rule(level: Level, ladder: Ladder) -> str:
    if level is Level.FULL:
        return f"Score {ladder.simplified_below * 100:g} or more"
    return f"Score below {ladder.limit(level) * 100:g}"


def _way_out(level: Level, ladder: Ladder) -> str:
    if level is Level.FULL:
        return ""
    points = min(ladder.limit(level) + ladder.margin, 1.0) * 100
    return f"left at {points:g}, after {ladder.dwell_s:g} s at least"
