"""One alert as JSON for a webhook, signed. Source: Standard Webhooks, "Signature scheme"."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.conf import settings
from django.urls import reverse

from providers.alerts.words import alert_of
from providers.engine.usage import dollars
from providers.models import AlertMessage

_HEAD = "whsec_"


@dataclass(frozen=True, slots=True, repr=False)
class Letter:
    url: str
    headers: Mapping[str, str]
    body: bytes


def letter_of(message: AlertMessage, now: datetime) -> Letter | None:
    """Compose it, with an id that stays when it is sent again. None: no webhook is configured."""
    alerts = settings.GAIWEB.alerts
    if not alerts.webhook_url or alerts.webhook_secret is None:
        return None
    name, at = f"budget-alert-{message.pk}", str(int(now.timestamp()))
    body = orjson.dumps(_facts(message))
    signed = f"{name}.{at}.".encode() + body
    signature = signature_of(alerts.webhook_secret.get_secret_value(), signed)
    headers = {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{signature}",
    }
    return Letter(alerts.webhook_url, headers, body)


def signature_of(secret: str, signed: bytes) -> str:
    """Sign with a secret that is base64 behind `whsec_`, as that scheme writes it, or any text."""
    key = (
        base64.b64decode(secret.removeprefix(_HEAD))
        if secret.startswith(_HEAD)
        else secret.encode()
    )
    return base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _facts(message: AlertMessage) -> dict[str, object]:
    alert, budget = alert_of(message.alert), message.alert.window.budget
    page = reverse("providers:budget_explained", args=[alert.budget_id])
    return {
        "type": "budget.threshold_reached",
        "timestamp": alert.at.isoformat(),
        "data": {
            "budget": alert.name,
            "budget_id": alert.budget_id,
            "scope": budget.scope,
            "period": budget.period,
            "threshold_percent": alert.threshold,
            "spent_usd": dollars(alert.spent_nano),
            "limit_usd": dollars(alert.limit_nano),
            "starts_at": alert.starts_at.isoformat(),
            "resets_at": alert.resets_at and alert.resets_at.isoformat(),
            "at_limit": "refuse" if budget.is_hard else "degrade" if budget.degrade_to else "warn",
            "text": f"{alert.headline}. {alert.reset} {alert.at_limit}",
            "url": f"{settings.GAIWEB.public_url}{page}",
        },
    }
