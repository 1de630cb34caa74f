"""The whole catalog as the engine's types: read when it changes, immutable in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import Prefetch
from django.utils import timezone

from providers.catalog import price_versions
from providers.catalog.overrides import next_change
from providers.catalog.presets import preset_of
from providers.catalog.prices import price_of
from providers.catalog.traits import TRAITS, lacks_of, numbers_of, window_of
from providers.engine import routes as engine
from providers.models import Deployment, Route, RouteTarget

Limits = Callable[[Deployment], Mapping[str, Any]]
"""Configured limits and timeouts of a deployment, by the names of the engine's fields."""


@dataclass(frozen=True, slots=True)
class RouteInfo:
    """A route as callers see it: `provider` and `model` of its first deployment."""

    name: str
    provider: str
    model: str
    kind: str
    is_priced: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Catalog:
    """Only what can be called: enabled routes with at least one enabled target.

    At `next_price_at` a price of an operator's begins or ends; None: none is planned.
    """

    routes: Mapping[str, engine.Route]
    infos: tuple[RouteInfo, ...]
    deployments: Mapping[int, engine.Deployment]
    next_price_at: datetime | None = None


EMPTY = Catalog({}, (), {})


def read(limits: Limits) -> Catalog:
    """Read all of it, and write down the prices that are new. Sync: it asks the database."""
    now = timezone.now()
    rows = Deployment.objects.filter(is_enabled=True, provider__is_enabled=True)
    deployments = {row.pk: deployment(row, limits) for row in rows.select_related("provider")}
    price_versions.keep(each.price for each in deployments.values())
    targets = Prefetch("targets", RouteTarget.objects.order_by("position"))
    routes: dict[str, engine.Route] = {}
    infos: list[RouteInfo] = []
    for row in Route.objects.filter(is_enabled=True).order_by("name").prefetch_related(targets):
        found = tuple(
            deployments[target.deployment_id]
            for target in row.targets.all()
            if target.deployment_id in deployments
        )
        if found:
            weights = {
                target.deployment_id: target.weight
                for target in row.targets.all()
                if target.weight and target.deployment_id in deployments
            }
            routes[row.name] = engine.Route(row.name, found, weights)
            infos.append(_info(row, found))
    return Catalog(routes, tuple(infos), deployments, next_change(now))


def deployment(row: Deployment, limits: Limits) -> engine.Deployment:
    provider = row.provider
    preset = preset_of(provider)
    values: dict[str, Any] = {
        **limits(row),
        **numbers_of(row),
        "context_tokens": window_of(row),
        "lacks": lacks_of(row) | preset.lacks,
    }
    values["options"] = {**preset.options, **values.get("options", {})}
    if not provider.has_faults:
        values["options"]["faults"] = "off"
    return engine.Deployment(
        id=row.pk,
        provider=provider.name,
        kind=provider.kind,
        model=row.model,
        base_url=provider.base_url or preset.base_url,
        is_local=provider.is_local,
        price=price_of(row),
        max_output_tokens=row.max_output_tokens,
        **values,
    )


def defaults(row: Deployment, limits: Limits) -> Mapping[str, Any]:
    """Name what holds where the operator says nothing; `row` may be unsaved and says nothing."""
    ours = {each.name: each.default for each in fields(engine.Deployment)}
    known = {**ours, **limits(row), "context_tokens": window_of(row)}
    return {name: known[name] for name in TRAITS}


def _info(row: Route, found: tuple[engine.Deployment, ...]) -> RouteInfo:
    return RouteInfo(
        name=row.name,
        provider=found[0].provider,
        model=found[0].model,
        kind=found[0].kind,
        is_priced=all(each.price is not None for each in found),
        created_at=row.created_at,
    )
