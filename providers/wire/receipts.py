"""`GET /v1/receipts/{id}`: what an answer of the caller's own key has cost, line by line."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

from providers import wiring
from providers.engine.call import Caller
from providers.engine.errors import NoSuchPath
from providers.engine.usage import dollars
from providers.ledger import itemised
from providers.ledger.itemised import Carried, Hold, Itemised, Line, Tried
from providers.ledger.recompute import COUNTS
from providers.models import Entry
from providers.wire.http import Exchange

ROOT = "/v1/receipts"


async def show(exchange: Exchange, caller: Caller, name: str) -> None:
    """Raise NoSuchPath, also for what belongs to another key."""
    found = await asyncio.to_thread(wiring.closing, itemised.of_request, _id(name))
    if found is None or caller.key_id is None or found.first.key_id != caller.key_id:
        raise NoSuchPath(
            "This key has no request by that id. It is the header x-request-id of an answer."
        )
    await exchange.json(200, body(found), [])


def path_of(request_id: UUID) -> bytes:
    return f"{ROOT}/{request_id}".encode()


def body(found: Itemised) -> dict[str, Any]:
    """Money is in dollars, as text, exact; null is unknown."""
    total = found.total
    return {
        "object": "receipt",
        "id": str(found.id),
        "created_at": found.first.created_at.isoformat(),
        "model": found.first.route,
        "source": found.first.source,
        "tag": found.first.tag or None,
        "state": found.state,
        "cost_usd": dollars(0 if total is None else total.cost_nano),
        "is_estimated": found.is_estimated,
        "is_unconfirmed": total is not None and total.is_unconfirmed,
        "saved_by_our_cache_usd": dollars(found.saved_nano),
        "saved_by_provider_cache_usd": _text(found.kept_usd),
        "holds": [_hold(hold) for hold in found.holds],
        "attempts": [_tried(tried) for tried in found.tries],
        "corrections": [_correction(entry) for entry in found.corrections],
        "budgets": [_budget(carried) for carried in found.budgets],
    }


def _id(name: str) -> UUID:
    try:
        return UUID(name.removeprefix("chatcmpl-"))
    except ValueError:
        raise NoSuchPath("A receipt's id is the header x-request-id of an answer.") from None


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():f}"


def _hold(hold: Hold) -> dict[str, Any]:
    reservation = hold.reservation
    return {
        "step": hold.step,
        "held_usd": dollars(reservation.held_nano),
        "released_usd": dollars(hold.released_nano),
        "created_at": reservation.created_at.isoformat(),
        "settled_at": reservation.settled_at and reservation.settled_at.isoformat(),
    }


def _tried(tried: Tried) -> dict[str, Any]:
    entry = tried.entry
    return {
        "step": tried.step,
        "attempt": entry.attempt,
        "at": entry.at.isoformat(),
        "provider": entry.provider,
        "model": entry.model,
        "status": entry.status,
        "is_cached": entry.is_cached,
        "error": _error(tried),
        "usage": None if tried.usage is None else {n: getattr(tried.usage, n) for n in COUNTS},
        "lines": [_line(line) for line in tried.lines],
        "cost_usd": dollars(entry.cost_nano),
        "price_version": entry.price_version or None,
        "is_estimated": entry.is_estimated,
        "estimated_figures": entry.estimated_figures,
        "is_unconfirmed": entry.is_unconfirmed,
        "is_share": entry.is_share,
    }


def _error(tried: Tried) -> dict[str, Any] | None:
    code, status = tried.entry.error_code, tried.entry.http_status
    return {"code": code, "title": tried.reason, "http_status": status} if code else None


def _line(line: Line) -> dict[str, Any]:
    return {
        "class": line.name,
        "count": line.count,
        "rate_usd": _text(line.rate_usd),
        "per": line.per,
        "cost_usd": _text(line.cost_usd),
    }


def _correction(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "cost_usd": dollars(entry.cost_nano),
        "reason": entry.reason,
    }


def _budget(carried: Carried) -> dict[str, Any]:
    return {
        "name": carried.name,
        "is_hard": carried.is_hard,
        "limit_usd": dollars(carried.limit_nano),
        "starts_at": carried.starts_at.isoformat(),
        "ends_at": carried.ends_at and carried.ends_at.isoformat(),
        "spent_usd": dollars(carried.spent_nano),
        "held_usd": dollars(carried.held_nano),
        "this_request_usd": dollars(carried.share_nano),
        "left_without_it_usd": dollars(carried.left_without_nano),
        "left_usd": dollars(carried.left_nano),
    }
