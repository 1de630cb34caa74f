"""`manage.py ledger`: do the counters say what the rows say, and the rows what prices say?"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError
from django.utils import timezone

from providers.engine.usage import dollars
from providers.ledger import check, corrections, recompute, sums
from providers.ledger.corrections import CannotCorrect
from providers.ledger.money import usd
from providers.ledger.recompute import COUNTS, Recomputed, Verdict
from providers.management.command import ScriptCommand
from providers.models import Reservation

DIFFERENT, CANNOT_TELL = 1, 2


class Command(ScriptCommand):
    help = "Look after the ledger."

    def add_actions(self, actions: Any) -> None:
        self.action(
            actions,
            "check",
            "compare every window and every sum of the reports with its rows;"
            f" exit code {DIFFERENT}: they differ",
        )
        self.action(
            actions, "sum", "make the sums of the reports anew from the entries; requests wait"
        )
        again = self.action(
            actions,
            "recompute",
            "compute each entry of a request again from its usage and its price;"
            f" exit code {DIFFERENT}: one differs, {CANNOT_TELL}: a price is not known any more",
        )
        _takes_id(again)
        right = self.action(
            actions, "correct", "say what a request really cost, by an entry of its own"
        )
        _takes_id(right)
        right.add_argument("--usd", required=True, help="what it cost in all, such as 0.0125")
        right.add_argument("--reason", required=True, help="why, such as an invoice's line")

    def handle(self, **options: Any) -> None:
        verbs = {
            "check": self._check,
            "sum": self._sum,
            "recompute": self._recompute,
            "correct": self._correct,
        }
        verbs[options["action"]](options)

    def _check(self, options: Mapping[str, Any]) -> None:
        result = check.run()
        self.answer(options, {"is_clean": result.is_clean, **asdict(result)}, _in_words(result))
        if not result.is_clean:
            raise SystemExit(DIFFERENT)

    def _sum(self, options: Mapping[str, Any]) -> None:
        made = sums.rebuild(timezone.now())
        self.answer(options, {"sums": made}, f"Summed anew: {made} sums of quarter hours.")

    def _recompute(self, options: Mapping[str, Any]) -> None:
        request_id = _read_id(options["id"])
        found = recompute.of_request(request_id)
        if not found:
            raise CommandError(_why_nothing(request_id))
        verdicts = {one.verdict for one in found}
        facts = {
            "request_id": str(request_id),
            "is_same": not verdicts & {Verdict.DIFFERS, Verdict.PRICE_UNKNOWN},
            "entries": [_facts(one) for one in found],
        }
        self.answer(options, facts, "\n".join(_line(one) for one in found))
        if Verdict.DIFFERS in verdicts:
            raise SystemExit(DIFFERENT)
        if Verdict.PRICE_UNKNOWN in verdicts:
            raise SystemExit(CANNOT_TELL)

    def _correct(self, options: Mapping[str, Any]) -> None:
        request_id = _read_id(options["id"])
        try:
            done = corrections.correct(request_id, _amount(options["usd"]), options["reason"])
        except CannotCorrect as fault:
            raise self.refusal(fault.field, fault.message, positional="id") from None
        facts = {
            "request_id": str(request_id),
            "before_usd": dollars(done.before_nano),
            "after_usd": dollars(done.after_nano),
            "is_changed": done.is_changed,
        }
        moved = f"from {usd(done.before_nano)} to {usd(done.after_nano)}"
        words = f"Corrected {moved}." if done.is_changed else "It says so already."
        self.answer(options, facts, words)


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CannotCorrect("usd", f"{text!r} is not an amount of dollars.") from None


def _takes_id(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="the request's: x-request-id, or chatcmpl-...")


def _read_id(text: str) -> UUID:
    try:
        return UUID(text.strip().removeprefix("chatcmpl-"))
    except ValueError:
        raise CommandError(
            f"ID: {text[:80]!r} is no request id. It is the header x-request-id of an answer."
        ) from None


def _why_nothing(request_id: UUID) -> str:
    hold = Reservation.objects.filter(pk=request_id).first()
    if hold is None:
        return f"ID: there is no request {request_id} in the ledger."
    if hold.settled_at is None:
        return f"{request_id} is in flight: {usd(hold.held_nano)} are held, nothing is booked yet."
    return f"Nothing of {request_id} was sent to a provider: its hold was released, no cost."


def _facts(one: Recomputed) -> dict[str, Any]:
    entry = one.entry
    return {
        "request_id": str(entry.reservation_id),
        "attempt": entry.attempt,
        "status": entry.status,
        "verdict": one.verdict,
        "booked_usd": dollars(one.booked_nano),
        "computed_usd": dollars(one.computed_nano),
        "price_version": entry.price_version or None,
        "is_estimated": entry.is_estimated,
        "is_unconfirmed": entry.is_unconfirmed,
        "usage": {name: getattr(entry, name) for name in COUNTS},
    }


def _line(one: Recomputed) -> str:
    entry = one.entry
    what = f"{entry.reservation_id} attempt {entry.attempt} ({entry.status})"
    booked, computed = (
        f"${dollars(nano)}" if nano is not None else "unknown"
        for nano in (one.booked_nano, one.computed_nano)
    )
    by = f" by {entry.price_version!r}" if entry.price_version else ""
    words = {
        Verdict.SAME: f"the same: {booked}{by}.",
        Verdict.SHARE: f"{booked}, its share of a request of several; alone {computed}{by}.",
        Verdict.BY_RULE: f"{booked}, booked by rule and unconfirmed; {computed} was held.",
        Verdict.BY_HAND: f"moved by {booked}, says {entry.actor}: {entry.reason}",
        Verdict.DIFFERS: f"DIFFERS: booked {booked}, computed {computed}{by}.",
        Verdict.PRICE_UNKNOWN: f"booked {booked}; the price{by} is not known here any more.",
    }
    return f"{what}: {words[one.verdict]}"


def _in_words(result: check.CheckResult) -> str:
    counted = f"{result.windows} windows compared, {result.open_holds} calls in flight."
    if result.is_clean:
        return f"The books are right: {counted}"
    return "\n".join([f"The books are wrong: {counted}", *result.differences])
