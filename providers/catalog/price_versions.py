"""Every price that ever counted, by its version, so that an old entry can be computed again.

A newer genai-prices forgets what a model cost before, and an operator's price goes with its
deployment: what is kept here stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from providers.engine.usage import Price
from providers.models import PriceVersion

_CLASSES = tuple(each.name for each in fields(Price) if each.name not in ("version", "tiers"))
_LONGEST = 120

Rates = dict[str, Any]


def named(price: Price, source: str, model: str) -> Price:
    """Give it a version with a digest of the rates: they change while the source's name stays."""
    told = json.dumps(_rates(price), sort_keys=True).encode()
    digest = hashlib.sha256(told).hexdigest()[:12]
    return _versioned(price, f"{source} {digest} {model}"[:_LONGEST])


def keep(prices: Iterable[Price | None]) -> None:
    """Write down those that are new; before anything is charged by them."""
    wanted = {price.version: price for price in prices if price is not None}
    known = PriceVersion.objects.filter(version__in=wanted).values_list("version", flat=True)
    new = wanted.keys() - set(known)
    if new:
        rows = [PriceVersion(version=version, rates=_rates(wanted[version])) for version in new]
        PriceVersion.objects.bulk_create(rows, ignore_conflicts=True)


def find(versions: Iterable[str]) -> dict[str, Price]:
    """Look prices up; a version that is missing in the answer is not known here."""
    rows = PriceVersion.objects.filter(version__in=set(versions))
    return {row.version: _price(row.rates, row.version) for row in rows}


def first_seen(version: str) -> datetime | None:
    """Tell when it was written down here; None: never yet."""
    rows = PriceVersion.objects.filter(version=version)
    return rows.values_list("first_seen_at", flat=True).first()


def _rates(price: Price) -> Rates:
    """Give USD per million tokens as text, exact; classes without a price of their own are left
    out. `tiers`: beyond so many input tokens, these rates.
    """
    known = {name: getattr(price, name) for name in _CLASSES}
    rates: Rates = {name: f"{rate:f}" for name, rate in known.items() if rate is not None}
    if price.tiers:
        rates["tiers"] = [[beyond, _rates(tier)] for beyond, tier in price.tiers]
    return rates


def _price(rates: Rates, version: str) -> Price:
    classes = {name: Decimal(rates[name]) for name in _CLASSES if name in rates}
    tiers = tuple((beyond, _price(tier, version)) for beyond, tier in rates.get("tiers", ()))
    return Price(version=version, tiers=tiers, **classes)


def _versioned(price: Price, version: str) -> Price:
    tiers = tuple((beyond, _versioned(tier, version)) for beyond, tier in price.tiers)
    return replace(price, version=version, tiers=tiers)
