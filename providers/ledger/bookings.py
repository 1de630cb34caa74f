"""What an attempt becomes in the ledger, and the rule for one whose cost nobody told us."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from providers.engine.call import AttemptRecord, AttemptStatus, Call
from providers.engine.usage import Usage

_MOST_SMALLINT = 32_767
_MOST_INT = 2_147_483_647
_COUNTS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cache_write_1h_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "web_searches",
    "server_tool_calls",
)


@dataclass(frozen=True, slots=True)
class Cost:
    """`nano` None: unknown, and nothing is booked. `is_unconfirmed`: booked by rule."""

    nano: int | None
    is_unconfirmed: bool = False


def entries_of(
    reservation_id: UUID, attempts: Sequence[AttemptRecord], held_nano: int
) -> list[dict[str, Any]]:
    """Make one row for each attempt, as the function `ledger_settle` reads them.

    Usage known: price x usage, also when the attempt failed or we counted ourselves; without a
    price unknown. Usage unknown and surely not billed (refused before any content): 0.
    Usage unknown and perhaps billed: the worst case of that attempt, never more than the hold has
    left, because a guess of ours may not take a budget past its limit.
    """
    told = [_told_cost(record) for record in attempts]
    left = held_nano - sum(cost.nano or 0 for cost in told if cost is not None)
    rows: list[dict[str, Any]] = []
    for record, known in zip(attempts, told, strict=True):
        cost = known or _guessed_cost(record, left)
        left -= 0 if known else cost.nano or 0
        rows.append({
            "reservation": str(reservation_id),
            **_facts(record),
            **_figures(record, cost),
        })
    return rows


def entry_of_hit(call: Call, record: AttemptRecord) -> dict[str, Any]:
    """Make the row of a cached answer, as the function `ledger_book_hits` reads it."""
    return {
        "reservation": str(call.id),
        "source": call.caller.source.value,
        "user_id": call.caller.user_id,
        "team_id": call.caller.team_id,
        "key_id": call.caller.key_id,
        "tag": call.caller.tag,
        "route": call.route.name,
        **_facts(record),
        **_figures(record, Cost(0)),
        "saved_nano": None if call.hit is None else call.hit.saved_nano,
    }


def _told_cost(record: AttemptRecord) -> Cost | None:
    """None: the provider may bill this attempt, and nobody told us what."""
    if record.usage is not None:
        return Cost(record.cost_nano)
    is_free = not record.may_be_billed and record.status is not AttemptStatus.PENDING
    return Cost(0) if is_free else None


def _guessed_cost(record: AttemptRecord, hold_left_nano: int) -> Cost:
    price = record.deployment.price
    if price is None:
        return Cost(None, is_unconfirmed=True)
    worst = price.worst_case_nano(record.input_bound, record.deployment.max_output_tokens)
    return Cost(max(0, min(worst, hold_left_nano)), is_unconfirmed=True)


def _facts(record: AttemptRecord) -> dict[str, Any]:
    return {
        "attempt": record.number,
        "at": record.started_at.isoformat(),
        "provider": _clean(record.deployment.provider, 64),
        "model": _clean(record.deployment.model, 200),
        "status": record.status.value,
        "error_code": _clean(record.error_code, 40),
        "http_status": _at_most(record.http_status, _MOST_SMALLINT),
        "upstream_request_id": _clean(record.upstream_request_id, 120),
        "ttft_ms": _at_most(record.ttft_ms, _MOST_INT),
        "duration_ms": _at_most(record.duration_ms, _MOST_INT),
    }


def _figures(record: AttemptRecord, cost: Cost) -> dict[str, Any]:
    price = record.deployment.price
    return {
        **_counts(record.usage),
        "is_estimated": cost.is_unconfirmed
        or (record.usage is not None and record.usage.estimated),
        "is_unconfirmed": cost.is_unconfirmed,
        "is_share": record.share_nano is not None,
        "cost_nano": cost.nano,
        "price_version": "" if price is None else _clean(price.version, 120),
    }


def _counts(usage: Usage | None) -> dict[str, int | Sequence[str] | None]:
    if usage is None:
        return {}
    counts = {name: _at_most(getattr(usage, name), _MOST_INT) for name in _COUNTS}
    return {**counts, "estimated_figures": usage.estimated_figures if usage.estimated else None}


def _clean(text: str | None, most: int) -> str:
    """Postgres takes no NUL, and an upstream's request id may hold anything."""
    return (text or "").replace("\0", "")[:most]


def _at_most(value: int | None, most: int) -> int | None:
    return None if value is None else max(0, min(value, most))
