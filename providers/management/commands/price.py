"""`manage.py price set` and `price show`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from providers.catalog import overrides
from providers.catalog.faults import CatalogError
from providers.catalog.overrides import Override
from providers.catalog.prices import price_of
from providers.management.command import ScriptCommand
from providers.models import Deployment


class Command(ScriptCommand):
    help = "Set prices of your own from a moment on, and show what holds. Safe to repeat."

    def add_actions(self, actions: Any) -> None:
        own = self.action(actions, "set", "Set a model's price, in dollars per million tokens.")
        own.add_argument("model", metavar="PROVIDER/MODEL")
        own.add_argument("--input", required=True, metavar="USD_PER_MTOK")
        own.add_argument("--output", required=True, metavar="USD_PER_MTOK")
        own.add_argument("--cache-read", metavar="USD_PER_MTOK", help="empty: as input")
        own.add_argument("--cache-write", metavar="USD_PER_MTOK", help="empty: as input")
        own.add_argument("--from", dest="begins", metavar="DATE", help="UTC; empty: from now on")
        own.add_argument("--until", metavar="DATE", help="UTC; empty: until another begins")
        own.add_argument("--source", required=True, metavar="TEXT", help="where it is from")
        self.action(actions, "show", "Show the price of each model that a route leads to.")

    def handle(self, *_: Any, **options: Any) -> None:
        if options["action"] == "show":
            self._show(options)
            return
        try:
            deployment = overrides.named(options["model"])
            made = overrides.add(deployment, _override(options))
        except CatalogError as error:
            raise self.refusal(error.field, error.message, positional="model") from None
        begins = made.effective_from.isoformat(timespec="seconds")
        holds = "holds from" if made.effective_from <= timezone.now() else "will hold from"
        words = f"The price of {deployment.named} {holds} {begins}."
        self.answer(options, {"model": deployment.named, "id": made.pk, "from": begins}, words)

    def _show(self, options: Mapping[str, Any]) -> None:
        found = Deployment.objects.filter(targets__isnull=False).distinct()
        rows = [_told(each) for each in found.select_related("provider").order_by("pk")]
        lines = [
            f"{row['model']}: {row['input_usd']} in, {row['output_usd']} out ({row['version']})"
            if row["version"]
            else f"{row['model']}: no price; hard budgets refuse it"
            for row in rows
        ]
        self.answer(options, {"prices": rows}, "\n".join(lines) or "No route leads to a model yet.")


def _told(deployment: Deployment) -> dict[str, str | None]:
    price = price_of(deployment)
    if price is None:
        return {"model": deployment.named, "input_usd": None, "output_usd": None, "version": None}
    return {
        "model": deployment.named,
        "input_usd": f"{price.input.normalize():f}",
        "output_usd": f"{price.output.normalize():f}",
        "version": price.version,
    }


def _override(options: Mapping[str, Any]) -> Override:
    input_usd, output_usd = (_usd(name, options[name]) for name in ("input", "output"))
    reads, writes = (_usd(name, options[name]) for name in ("cache_read", "cache_write"))
    if input_usd is None or output_usd is None:
        raise CatalogError("Give both prices.", field="input" if input_usd is None else "output")
    return Override(
        input_usd=input_usd,
        output_usd=output_usd,
        source=options["source"],
        begins=_moment("from", options["begins"]),
        cache_read_usd=reads,
        cache_write_usd=writes,
        until=_moment("until", options["until"]),
    )


def _usd(name: str, text: str | None) -> Decimal | None:
    if not text:
        return None
    try:
        return Decimal(text)
    except InvalidOperation:
        raise CatalogError(f"{text!r} is not a number of dollars.", field=name) from None


def _moment(name: str, text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(
            f"--{name}: {text!r} is no date; write 2026-12-01 or 2026-12-01T09:30Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
