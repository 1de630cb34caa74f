"""Read-only providers from keys in the environment, on the route `default`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from structlog import get_logger

from providers.catalog.providers import add_provider
from providers.catalog.routes import DEMO, lead_demo_route, set_targets
from providers.models import Deployment, Provider, Route

log = get_logger(__name__)

ROUTE = "default"
# Any number of ours: processes that start together take turns.
_LOCK = 7_424_600_001


def sync() -> None:
    """Make the catalog follow the environment; writes only what differs. Sync."""
    found = settings.GAIWEB.providers_from_environment()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        deployments = [
            _deployment(provider, each.model)
            for each in found
            if (provider := _provider(each.name, each.kind, each.base_url, each.is_local))
        ]
        gone = Provider.objects.filter(from_environment=True, is_enabled=True)
        gone = gone.exclude(name__in=[each.name for each in found])
        if gone.exists():
            gone.update(is_enabled=False)
        if deployments:
            _lead_route(deployments)
        if not Provider.objects.exists():
            # With no key anywhere there is still something to try.
            lead_demo_route(add_provider(name=DEMO, kind=DEMO))


def secrets() -> dict[str, str]:
    """Keys of the environment by provider name; never stored."""
    return {
        each.name: each.api_key.get_secret_value()
        for each in settings.GAIWEB.providers_from_environment()
        if each.api_key is not None
    }


def limits_of(row: Deployment) -> Mapping[str, Any]:
    """Name the configured limits and timeouts of a deployment; see `snapshot.Limits`."""
    calls = settings.GAIWEB.calls
    limits: dict[str, Any] = {
        "connect_timeout_s": calls.connect_timeout_s,
        "first_token_timeout_s": calls.first_token_timeout_s,
        "idle_timeout_s": calls.idle_timeout_s,
        "burst": calls.rate_limit_burst,
    }
    if not row.provider.from_environment:
        # An operator's own providers have no limit of ours unless their rows say so.
        return limits | {"requests_per_second": None}
    for each in settings.GAIWEB.providers_from_environment():
        if each.name == row.provider.name:
            limits["max_attempts"] = each.max_attempts
            limits["total_timeout_s"] = each.timeout_s
            limits["requests_per_second"] = each.requests_per_second
            limits["options"] = {"organization": each.organization} if each.organization else {}
    return limits


def _provider(name: str, kind: str, base_url: str, is_local: bool) -> Provider | None:  # noqa: FBT001 - four plain columns
    """Find or make its row; None where somebody's own provider has taken the name."""
    values = {"kind": kind, "base_url": base_url, "is_local": is_local, "is_enabled": True}
    row, created = Provider.objects.get_or_create(
        name=name, defaults={**values, "from_environment": True}
    )
    if created:
        return row
    if not row.from_environment:
        log.warning("environment_provider_hidden", provider=name)
        return None
    if any(getattr(row, field) != value for field, value in values.items()):
        for field, value in values.items():
            setattr(row, field, value)
        row.save()
    return row


def _deployment(provider: Provider, model: str) -> Deployment:
    return Deployment.objects.get_or_create(provider=provider, model=model)[0]


def _lead_route(deployments: list[Deployment]) -> None:
    """Unless an operator has put targets of their own on it."""
    route, _ = Route.objects.get_or_create(name=ROUTE)
    if not route.targets.filter(deployment__provider__from_environment=False).exists():
        set_targets(route, deployments)
