"""What a deployment costs: the operator's word first, then the published prices, offline."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import genai_prices
from django.utils import timezone
from genai_prices import data_snapshot

from providers.catalog.overrides import in_force
from providers.catalog.presets import address_of
from providers.catalog.price_versions import named
from providers.engine.usage import Price
from providers.models import Deployment
from providers.models import Price as PriceRow

# The vendor behind a wire format when no base URL says otherwise.
_VENDORS = {
    "openai_chat": "openai",
    "openai_responses": "openai",
    "anthropic_messages": "anthropic",
    "gemini": "google",
}
_CLASSES = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
    "web_search": "web_searches_kcount",
}
FREE = Price(Decimal(0), Decimal(0), "demo")
# In the names of models that answer with vectors, whose output nobody bills.
_EMBEDS = "embed"


def price_of(deployment: Deployment, now: datetime | None = None) -> Price | None:
    """Answer the price in force. None: nobody knows it, which is not zero."""
    now = now or timezone.now()
    own = in_force(list(deployment.prices.filter(effective_from__lte=now)), now)
    if own is not None:
        return _operators(own)
    return published_of(deployment, now)


def published_of(deployment: Deployment, now: datetime) -> Price | None:
    """Answer what holds where the operator says nothing. None: nobody publishes it."""
    provider = deployment.provider
    if provider.kind == "demo":
        return FREE
    return published(provider.kind, address_of(provider), deployment.model, now)


def published(kind: str, base_url: str, model: str, now: datetime) -> Price | None:
    """Look the model up in the snapshot that came with genai-prices; nothing is fetched.

    A base URL decides the vendor, and one that is not in the snapshot is not priced: the same
    model name costs something else elsewhere.
    """
    # Some prices depend on the hour, so the hour is as far as a lookup is remembered.
    hour = now.replace(minute=0, second=0, microsecond=0)
    return _published(kind, base_url, model, hour)


def published_window(kind: str, base_url: str, model: str) -> int | None:
    """Look up how many tokens the model takes; None: nobody tells."""
    found = _model(kind, base_url, model)
    window: int | None = found and found[1].context_window
    return window


@lru_cache(maxsize=4096)
def _published(kind: str, base_url: str, model: str, hour: datetime) -> Price | None:
    known = _model(kind, base_url, model)
    if known is None:
        return None
    provider, found = known
    price = _with_tiers(found.get_prices(hour), has_output=_EMBEDS not in found.id)
    source = f"genai-prices {genai_prices.__version__}"
    return price and named(price, source, f"{provider.id}/{found.id}")


@lru_cache(maxsize=4096)
def _model(kind: str, base_url: str, model: str) -> tuple[Any, Any] | None:
    vendor = None if base_url else _VENDORS.get(kind)
    if not base_url and vendor is None:
        return None
    snapshot = data_snapshot.get_snapshot()
    try:
        return snapshot.find_provider_model(model, None, vendor, base_url or None)
    except LookupError:
        return None


def _with_tiers(prices: object, *, has_output: bool) -> Price | None:
    """One plain price for each context length at which any class changes."""
    classes = {ours: getattr(prices, theirs, None) for ours, theirs in _CLASSES.items()}
    if classes["output"] is None and not has_output:
        classes["output"] = Decimal(0)
    if classes["input"] is None or classes["output"] is None:
        return None
    starts = {tier.start for price in classes.values() for tier in getattr(price, "tiers", ())}
    tiers = tuple((start, _at(classes, start)) for start in sorted(starts))
    return replace(_at(classes, -1), tiers=tiers)


def _at(classes: dict[str, Any], start: int) -> Price:
    """Pick each class's price beyond `start` input tokens."""

    def of(price: Any) -> Decimal | None:
        if price is None or isinstance(price, Decimal):
            return price
        reached = [tier.price for tier in price.tiers if tier.start <= start]
        chosen: Decimal = reached[-1] if reached else price.base
        return chosen

    plain: dict[str, Any] = {name: of(price) for name, price in classes.items()}
    zero = Decimal(0)
    both = {"input": plain["input"] or zero, "output": plain["output"] or zero}
    return Price(version="", **{**plain, **both})


def _operators(row: PriceRow) -> Price:
    return Price(
        row.input_usd,
        row.output_usd,
        f"operator {row.effective_from:%Y-%m-%d} #{row.pk}",
        row.cache_read_usd,
        row.cache_write_usd,
    )
