"""An operator's own prices: each from a moment on, until another or none, with where it is from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from django.db import transaction
from django.utils import timezone

from providers import audit
from providers.catalog.faults import CatalogError
from providers.models import Deployment, Price, Provider, User

MOST_USD_PER_MTOK = Decimal(100_000)
_LONGEST_SOURCE = 200
_CLASSES = ("input_usd", "output_usd", "cache_read_usd", "cache_write_usd")


@dataclass(frozen=True, slots=True)
class Override:
    """USD per million tokens; a cache price of None is that of input.

    From `begins` (None: now) up to and without `until` (None: until another begins). `source` says
    where the price stands: a contract, a page with its date.
    """

    input_usd: Decimal
    output_usd: Decimal
    source: str
    begins: datetime | None = None
    cache_read_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None
    until: datetime | None = None


class State(StrEnum):
    """`REPLACED`: a later one holds, or will before it could."""

    IN_FORCE = "in force"
    PLANNED = "planned"
    ENDED = "ended"
    REPLACED = "replaced"


@transaction.atomic
def add(deployment: Deployment, override: Override, by: User | None = None) -> Price:
    """Add a row to the history; repeating one that is there adds none. Raises CatalogError.

    What is booked stays as it is: an entry keeps the price that it was computed by.
    """
    now = timezone.now()
    _check(override, now)
    facts = {
        "effective_until": override.until,
        "source": _source(override),
        **{name: getattr(override, name) for name in _CLASSES},
    }
    rows = list(deployment.prices.all())
    holds = in_force(rows, now)
    for row in rows:
        is_same = all(getattr(row, name) == fact for name, fact in facts.items())
        if is_same and (row == holds if override.begins is None else _begins(row, override)):
            return row
    made = Price.objects.create(
        deployment=deployment,
        effective_from=override.begins or now,
        made_by=by.email if by else "",
        **facts,
    )
    audit.write(by, "price.set", deployment.named, after=_told(made))
    return made


@transaction.atomic
def end(row: Price, by: User | None = None, now: datetime | None = None) -> None:
    """Let it hold no longer; one that is planned will not begin. Twice is harmless."""
    now = now or timezone.now()
    if row.effective_until is not None and row.effective_until <= now:
        return
    before = _told(row)
    row.effective_until = now
    row.save(update_fields=["effective_until"])
    audit.write(by, "price.ended", row.deployment.named, before=before, after=_told(row))


def in_force(rows: Sequence[Price], now: datetime) -> Price | None:
    """Pick the one that began last of those that hold."""
    holding = [row for row in rows if row.effective_from <= now and not _is_over(row, now)]
    return max(holding, key=lambda row: (row.effective_from, row.pk), default=None)


def states(rows: Sequence[Price], now: datetime) -> list[tuple[Price, State]]:
    """Tell of each how it stands, the newest first."""
    holds = in_force(rows, now)
    ordered = sorted(rows, key=lambda row: (row.effective_from, row.pk), reverse=True)
    return [(row, _state(row, holds, now)) for row in ordered]


def next_change(now: datetime) -> datetime | None:
    """Look up when the next price begins or ends; None: none is planned."""
    begins = Price.objects.filter(effective_from__gt=now).order_by("effective_from")
    ends = Price.objects.filter(effective_until__gt=now).order_by("effective_until")
    moments = [
        *begins.values_list("effective_from", flat=True)[:1],
        *ends.values_list("effective_until", flat=True)[:1],
    ]
    return min((moment for moment in moments if moment is not None), default=None)


def named(text: str) -> Deployment:
    """Find a model by `PROVIDER/MODEL`. Raises CatalogError."""
    provider, _, model = text.strip().partition("/")
    found = Deployment.objects.filter(provider__name=provider, model=model)
    deployment = found.select_related("provider").first()
    if deployment is not None:
        return deployment
    if not Provider.objects.filter(name=provider).exists():
        known = ", ".join(Provider.objects.order_by("name").values_list("name", flat=True))
        raise CatalogError(
            f"There is no provider {provider!r}. Known: {known or 'none yet'}.", field="model"
        )
    raise CatalogError(
        f"No route leads to {text!r}. Add it first: manage.py route add NAME --to {text}",
        field="model",
    )


def _state(row: Price, holds: Price | None, now: datetime) -> State:
    if _is_over(row, now):
        return State.ENDED
    if row.effective_from > now:
        return State.PLANNED
    return State.IN_FORCE if holds is not None and row.pk == holds.pk else State.REPLACED


def _is_over(row: Price, now: datetime) -> bool:
    return row.effective_until is not None and row.effective_until <= now


def _begins(row: Price, override: Override) -> bool:
    return row.effective_from == override.begins


def _source(override: Override) -> str:
    return " ".join(override.source.split())


def _check(override: Override, now: datetime) -> None:
    for name in _CLASSES:
        value: Decimal | None = getattr(override, name)
        if value is not None and not (value.is_finite() and 0 <= value <= MOST_USD_PER_MTOK):
            raise CatalogError(
                "A price is dollars per million tokens, from 0 to 100,000.",
                field=name.removesuffix("_usd"),
            )
    if override.until is not None and override.until <= (override.begins or now):
        raise CatalogError("It must end after it begins.", field="until")
    if not 0 < len(_source(override)) <= _LONGEST_SOURCE:
        raise CatalogError(
            f"Say where the price is from, in at most {_LONGEST_SOURCE} characters.",
            field="source",
        )


def _told(row: Price) -> audit.Facts:
    rates = {name: getattr(row, name) for name in _CLASSES}
    until = row.effective_until
    return {
        **{name: f"{usd.normalize():f}" for name, usd in rates.items() if usd is not None},
        "from": row.effective_from.isoformat(timespec="seconds"),
        "until": until.isoformat(timespec="seconds") if until else None,
        "source": row.source,
    }
