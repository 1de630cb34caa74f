"""What a change of a budget would do, in sentences, before it is saved. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from providers.ledger.forecast import Course, forecast
from providers.ledger.money import usd
from providers.ledger.windows import Cycle, window_at


@dataclass(frozen=True, slots=True)
class Manner:
    """A budget as it is or is wished. Neither hard nor with a `degrade_to`: it only warns."""

    limit_nano: int
    is_hard: bool
    degrade_to: str
    cycle: Cycle


@dataclass(frozen=True, slots=True)
class Used:
    """What the scope has spent and holds in the wished cycle's window. `who` such as Search."""

    who: str
    spent_nano: int
    held_nano: int


@dataclass(frozen=True, slots=True)
class Effect:
    """`tone` is bad where it stops somebody at once, warn where it nearly does, else ok."""

    tone: str
    sentences: tuple[str, ...]


def effect_of(before: Manner | None, wished: Manner, used: Used, now: datetime) -> Effect:
    """Compare; `before` None: there was no such budget."""
    tone, first = _at_once(wished, used, now)
    return Effect(tone, (first, *_pace(wished, used, now), *_changes(before, wished, now)))


def _at_once(wished: Manner, used: Used, now: datetime) -> tuple[str, str]:
    limit, spent = wished.limit_nano, used.spent_nano
    at = f"{used.who} is at {usd(spent)}"
    until = _until(wished.cycle, now)
    if spent >= limit:
        if wished.is_hard:
            return "bad", f"{at}: a limit of {usd(limit)} blocks at once{until}."
        if wished.degrade_to:
            return "warn", f"{at}: with {usd(limit)} {wished.degrade_to} answers at once{until}."
        return "warn", f"{at}, over a limit of {usd(limit)}. It only warns: prompts go on."
    left = limit - spent - used.held_nano
    if left <= 0:
        return "warn", (
            f"{at} and running prompts hold {usd(used.held_nano)}: nothing more fits into"
            f" {usd(limit)} until they end for less."
        )
    held = f" and {usd(used.held_nano)} are held" if used.held_nano else ""
    return "ok", f"{at}{held}: {usd(left)} of {usd(limit)} are left{until}."


def _pace(wished: Manner, used: Used, now: datetime) -> Iterator[str]:
    window = window_at(wished.cycle, now)
    if window.ends_at is None:
        return
    course = Course(wished.limit_nano, used.spent_nano, window.starts_at, window.ends_at)
    found = forecast(course, now)
    if found is not None and found.runs_out_at is not None:
        yield f"At this pace it runs out on {_day(found.runs_out_at, wished.cycle)}."
    elif found is not None and used.spent_nano:
        yield f"At this pace it lasts: about {usd(found.at_end_nano)} at the end."


def _changes(before: Manner | None, wished: Manner, now: datetime) -> Iterator[str]:
    if before is None:
        return
    if before.is_hard and not wished.is_hard:
        yield "It no longer refuses anything: spending may pass the limit."
    elif wished.is_hard and not before.is_hard:
        yield "From now on what does not fit is refused before it is sent."
    if before.cycle != wished.cycle:
        starts = window_at(wished.cycle, now).starts_at
        yield f"Another window begins to count: since {_day(starts, wished.cycle)}."


def _until(cycle: Cycle, now: datetime) -> str:
    ends = window_at(cycle, now).ends_at
    if ends is None:
        return ", for good"
    local = ends.astimezone(ZoneInfo(cycle.time_zone))
    return f" until {local:%-d %B %Y, %H:%M} ({cycle.time_zone})"


def _day(at: datetime, cycle: Cycle) -> str:
    return f"{at.astimezone(ZoneInfo(cycle.time_zone)):%-d %B %Y}"
