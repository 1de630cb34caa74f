"""Add and change routes, their targets and prices. Sync; safe to repeat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from providers import audit
from providers.catalog.faults import CatalogError
from providers.catalog.overrides import MOST_USD_PER_MTOK, in_force
from providers.models import Deployment, Price, Provider, Route, RouteTarget, User

DEMO = "demo"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,119}")
_LONGEST_MODEL = 200
_MOST_WEIGHT = 1_000_000


@dataclass(frozen=True, slots=True)
class OwnPrice:
    """USD per million tokens, as the operator says."""

    input_usd: Decimal
    output_usd: Decimal


def add_route(
    *,
    name: str,
    targets: Sequence[str],
    prices: OwnPrice | None = None,
    max_output: int | None = None,
    weights: Sequence[float | None] | None = None,
    by: User | None = None,
) -> Route:
    """Make the route, or give an existing one these targets, in this order.

    A target is `PROVIDER/MODEL`. `prices` None: those known before, or the published ones.
    `max_output` in tokens; None: as it was. `weights`, one a target, draw who is asked first; None:
    as they were. Raises CatalogError.
    """
    if not _NAME.fullmatch(name):
        raise CatalogError(
            "A route's name has letters, digits and . _ : / @ + -, at most 120.", field="name"
        )
    _check_numbers(prices, max_output)
    with transaction.atomic():
        route, is_new = Route.objects.select_for_update().get_or_create(name=name)
        before = None if is_new else _told(route)
        if not route.is_enabled:
            route.is_enabled = True
            route.save(update_fields=["is_enabled"])
        deployments = [_deployment(target, max_output, by) for target in targets]
        if not deployments or len(set(deployments)) != len(deployments):
            raise CatalogError("A route needs targets, each of them once.", field="to")
        set_targets(route, deployments, _checked(weights, len(deployments)))
        audit.write_change(
            by, "route.made" if is_new else "route.changed", name, before, _told(route)
        )
        if prices is not None:
            for deployment in deployments:
                set_price(deployment, prices, by)
    return route


@transaction.atomic
def set_price(deployment: Deployment, price: OwnPrice, by: User | None = None) -> None:
    """Add a price from now on, unless it is the one in force. Raises CatalogError."""
    _check_numbers(price, None)
    newest = in_force(list(deployment.prices.all()), timezone.now())
    if newest and (newest.input_usd, newest.output_usd) == (price.input_usd, price.output_usd):
        return
    Price.objects.create(
        deployment=deployment,
        input_usd=price.input_usd,
        output_usd=price.output_usd,
        made_by=by.email if by else "",
    )
    before = {"input_usd": newest.input_usd, "output_usd": newest.output_usd} if newest else None
    after = {"input_usd": price.input_usd, "output_usd": price.output_usd}
    audit.write_change(by, "price.set", deployment.named, _in_text(before), _in_text(after))


@transaction.atomic
def set_max_output(deployment: Deployment, tokens: int, by: User | None = None) -> None:
    """Bound its answers, and with them the worst case that budgets hold. Raises CatalogError."""
    _check_numbers(None, tokens)
    if deployment.max_output_tokens != tokens:
        before = {"max_output_tokens": deployment.max_output_tokens}
        deployment.max_output_tokens = tokens
        deployment.save(update_fields=["max_output_tokens"])
        after = {"max_output_tokens": tokens}
        audit.write(by, "deployment.changed", deployment.named, before=before, after=after)


@transaction.atomic
def set_enabled(route: Route, *, is_enabled: bool, by: User | None = None) -> None:
    before = _told(route)
    route.is_enabled = is_enabled
    route.save(update_fields=["is_enabled"])
    audit.write_change(by, "route.switched", route.name, before, _told(route))


@transaction.atomic
def remove_route(route: Route, *, by: User | None = None) -> None:
    audit.write(by, "route.removed", route.name, before=_told(route))
    route.delete()


def _told(route: Route) -> audit.Facts:
    targets = route.targets.select_related("deployment__provider").order_by("position")
    return {
        "is_enabled": route.is_enabled,
        "targets": [target.deployment.named for target in targets],
        "weights": [target.weight for target in targets if target.weight is not None],
    }


def _in_text(prices: dict[str, Decimal] | None) -> audit.Facts | None:
    return prices and {name: f"{usd.normalize():f}" for name, usd in prices.items()}


def _check_numbers(prices: OwnPrice | None, max_output: int | None) -> None:
    if prices is not None:
        for field in ("input_usd", "output_usd"):
            value: Decimal = getattr(prices, field)
            if not value.is_finite() or not 0 <= value <= MOST_USD_PER_MTOK:
                raise CatalogError(
                    "A price is dollars per million tokens, from 0 to 100,000.",
                    field=field.replace("_usd", "_price"),
                )
    if max_output is not None and not 1 <= max_output <= 10_000_000:
        raise CatalogError("The longest answer is 1 to 10,000,000 tokens.", field="max_output")


def _deployment(target: str, max_output: int | None, by: User | None) -> Deployment:
    provider_name, slash, model = target.strip().partition("/")
    if not slash or not 0 < len(model) <= _LONGEST_MODEL or not model.isprintable():
        raise CatalogError(f"{target!r} is not PROVIDER/MODEL.", field="to")
    provider = Provider.objects.filter(name=provider_name).first()
    if provider is None:
        known = ", ".join(Provider.objects.order_by("name").values_list("name", flat=True))
        raise CatalogError(
            f"There is no provider {provider_name!r}. Known: {known or 'none yet'}. "
            f"Add it first: manage.py provider add {provider_name} --kind KIND",
            field="to",
        )
    deployment, _ = Deployment.objects.get_or_create(provider=provider, model=model)
    if max_output is not None:
        set_max_output(deployment, max_output, by)
    return deployment


def set_targets(
    route: Route, deployments: list[Deployment], weights: Sequence[float | None] | None = None
) -> None:
    """Put these in place of the old ones; `weights` None: as they were."""
    if weights is None:
        known = dict(route.targets.values_list("deployment_id", "weight"))
        weights = [known.get(deployment.pk) for deployment in deployments]
    wanted = [
        (deployment.pk, weight) for deployment, weight in zip(deployments, weights, strict=True)
    ]
    if list(route.targets.values_list("deployment_id", "weight")) == wanted:
        return
    route.targets.all().delete()
    RouteTarget.objects.bulk_create(
        RouteTarget(route=route, deployment_id=pk, weight=weight, position=position)
        for position, (pk, weight) in enumerate(wanted)
    )


def _checked(weights: Sequence[float | None] | None, targets: int) -> Sequence[float | None] | None:
    if weights is None:
        return None
    if len(weights) != targets:
        raise CatalogError(f"Give {targets} weights, one for each target.", field="weights")
    if any(weight is not None and not 0 < weight <= _MOST_WEIGHT for weight in weights):
        raise CatalogError(
            f"A weight is above 0 and at most {_MOST_WEIGHT:,}, or empty.", field="weights"
        )
    return weights


def lead_demo_route(provider: Provider, by: User | None = None) -> Route:
    """Give a demo provider its route: `demo`, unless that leads elsewhere already."""
    taken = RouteTarget.objects.filter(route__name=DEMO).exclude(deployment__provider=provider)
    name = provider.name if taken.exists() else DEMO
    return add_route(name=name, targets=[f"{provider.name}/{DEMO}"], by=by)
