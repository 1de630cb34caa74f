"""A route as its editor sends it: ordered targets, each with its own price and longest answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from providers.catalog.faults import CatalogError
from providers.catalog.overrides import in_force
from providers.catalog.presets import address_of
from providers.catalog.prices import FREE, price_of, published
from providers.catalog.routes import OwnPrice, add_route, set_max_output, set_price
from providers.catalog.traits import set_traits
from providers.engine.routes import Ability
from providers.engine.usage import Price
from providers.models import Deployment, Provider, Route, User
from providers.models import Price as PriceRow


@dataclass(frozen=True, slots=True)
class Target:
    """Prices in USD per million tokens; both None: as before, or the published ones.

    `weight` None: a stand-in, or no weights at all. `numbers` are traits by name, None: the
    default; `lacks` None: as before.
    """

    provider: str
    model: str
    input_usd: Decimal | None = None
    output_usd: Decimal | None = None
    max_output: int | None = None
    weight: float | None = None
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    lacks: frozenset[Ability] | None = None

    @property
    def name(self) -> str:
        return f"{self.provider}/{self.model}"


class TargetFault(CatalogError):
    """`position` is the row of the editor, from 0."""

    def __init__(self, message: str, *, field: str, position: int) -> None:
        super().__init__(message, field=field)
        self.position = position


def save_route(*, name: str, targets: Sequence[Target], by: User | None = None) -> Route:
    """Make the route, or give an existing one these targets. Raises CatalogError, TargetFault."""
    _refuse_doubles(targets)
    with transaction.atomic():
        route = add_route(
            name=name,
            targets=[target.name for target in targets],
            weights=[target.weight for target in targets],
            by=by,
        )
        rows = route.targets.select_related("deployment").order_by("position")
        for position, (row, target) in enumerate(zip(rows, targets, strict=True)):
            try:
                _apply(row.deployment, target, by)
            except CatalogError as fault:
                raise TargetFault(fault.message, field=fault.field, position=position) from None
    return route


def _apply(deployment: Deployment, target: Target, by: User | None) -> None:
    if (target.input_usd is None) != (target.output_usd is None):
        missing = "input_price" if target.input_usd is None else "output_price"
        raise CatalogError("Give both prices, or none.", field=missing)
    if target.input_usd is not None and target.output_usd is not None:
        set_price(deployment, OwnPrice(target.input_usd, target.output_usd), by)
    if target.max_output is not None:
        set_max_output(deployment, target.max_output, by)
    set_traits(deployment, target.numbers, target.lacks, by)


def _refuse_doubles(targets: Sequence[Target]) -> None:
    seen: set[str] = set()
    for position, target in enumerate(targets):
        if target.name in seen:
            raise TargetFault("This target is there already.", field="model", position=position)
        seen.add(target.name)


def price_known(provider: Provider, model: str) -> Price | None:
    """Answer what a target would cost, also before it is saved. None: nobody knows."""
    deployment = Deployment.objects.filter(provider=provider, model=model).first()
    if deployment is not None:
        return price_of(deployment)
    if provider.kind == "demo":
        return FREE
    return published(provider.kind, address_of(provider), model, timezone.now())


def own_price(provider: Provider, model: str) -> PriceRow | None:
    """Look up the operator's word on it that holds now."""
    rows = PriceRow.objects.filter(deployment__provider=provider, deployment__model=model)
    return in_force(list(rows), timezone.now())
