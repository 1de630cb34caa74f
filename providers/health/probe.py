"""What probes found, kept for the health page and swept in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.utils import timezone

from providers.credentials import Checked
from providers.models import Deployment, Probe

KEPT = timedelta(days=7)


def record(found: Mapping[int, Checked]) -> None:
    """Write one row for each deployment id that still exists, and sweep the old ones. Sync."""
    now = timezone.now()
    there = set(Deployment.objects.filter(pk__in=list(found)).values_list("pk", flat=True))
    Probe.objects.bulk_create(
        Probe(
            deployment_id=pk,
            at=now,
            ok=checked.ok,
            latency_ms=checked.latency_ms,
            error_code=checked.code,
            message="" if checked.ok else checked.message[:300],
        )
        for pk, checked in found.items()
        if pk in there
    )
    Probe.objects.filter(at__lt=now - KEPT).delete()
