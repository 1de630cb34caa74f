"""`manage.py route add`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from providers import catalog
from providers.catalog.faults import CatalogError
from providers.catalog.prices import price_of
from providers.catalog.traits import TRAITS, abilities, set_traits
from providers.engine.routes import Ability
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
        add.add_argument(
            "--weights",
            metavar="N,N,...",
            help="one a target: who is asked first; - for none",
        )
        add.add_argument(
            "--lacks", metavar="ABILITY,...", help=f"what it cannot take: {', '.join(Ability)}"
        )
        for name, trait in TRAITS.items():
            kind = int if trait.is_whole else float
            words = f"{trait.label.lower()}; 0 for the default"
            add.add_argument(f"--{name.replace('_', '-')}", type=kind, metavar="N", help=words)

    def handle(self, *_: Any, **options: Any) -> None:
        try:
            route = _added(options)
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


@transaction.atomic
def _added(options: Mapping[str, Any]) -> Route:
    route = catalog.add_route(
        name=options["name"],
        targets=options["to"],
        prices=_prices(options["input_price"], options["output_price"]),
        max_output=options["max_output"],
        weights=_weights(options["weights"]),
    )
    given = {name: options[name] for name in TRAITS if options[name] is not None}
    numbers = {name: value or None for name, value in given.items()}
    lacks = None if options["lacks"] is None else abilities(options["lacks"])
    for target in route.targets.select_related("deployment"):
        set_traits(target.deployment, numbers, lacks)
    return route


def _weights(text: str | None) -> list[float | None] | None:
    if text is None:
        return None
    try:
        return [None if word.strip() in {"", "-"} else float(word) for word in text.split(",")]
    except ValueError:
        raise CommandError(f"--weights: {text!r} is not numbers with commas between.") from None


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
