"""`manage.py route add`."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError

from providers import catalog
from providers.catalog.faults import CatalogError
from providers.catalog.prices import price_of
from providers.management.command import ScriptCommand
from providers.models import Route


class Command(ScriptCommand):
    help = "Add routes: public model names over deployments. Repeating a command changes nothing."

    def add_actions(self, actions: Any) -> None:
        add = self.action(actions, "add", "Add a route, or give it these targets in this order.")
        add.add_argument("name", metavar="PUBLIC")
        add.add_argument("--to", required=True, action="append", metavar="PROVIDER/MODEL")
        add.add_argument("--input-price", metavar="USD_PER_MTOK")
        add.add_argument("--output-price", metavar="USD_PER_MTOK")
        add.add_argument("--max-output", type=int, metavar="N", help="tokens of the longest answer")

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            route = catalog.add_route(
                name=options["name"],
                targets=options["to"],
                prices=_prices(options["input_price"], options["output_price"]),
                max_output=options["max_output"],
            )
        except CatalogError as error:
            message = error.message
            if error.field == "name":
                raise CommandError(f"PUBLIC: {message}") from None
            raise self.refusal(error.field, message) from None
        targets, unpriced = _targets(route)
        words = f"Route {route.name} leads to {', '.join(targets)}."
        if unpriced:
            words += (
                f" No price is known for {', '.join(unpriced)}: hard budgets refuse it."
                " Give --input-price and --output-price."
            )
        self.answer(options, {"route": route.name, "to": targets, "unpriced": unpriced}, words)


def _prices(input_usd: str | None, output_usd: str | None) -> catalog.OwnPrice | None:
    if input_usd is None and output_usd is None:
        return None
    return catalog.OwnPrice(
        _dollars("--input-price", input_usd), _dollars("--output-price", output_usd)
    )


def _dollars(argument: str, value: str | None) -> Decimal:
    if value is None:
        raise CommandError(f"{argument}: give both prices or none.")
    try:
        return Decimal(value)
    except InvalidOperation:
        raise CommandError(f"{argument}: {value!r} is not a number of dollars.") from None


def _targets(route: Route) -> tuple[list[str], list[str]]:
    """All of them, and those without a price."""
    found = route.targets.select_related("deployment__provider").order_by("position")
    deployments = [target.deployment for target in found]
    names = [f"{each.provider.name}/{each.model}" for each in deployments]
    unpriced = [
        name for name, each in zip(names, deployments, strict=True) if price_of(each) is None
    ]
    return names, unpriced
