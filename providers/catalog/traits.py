"""What a deployment can do and how it is treated: each number is the operator's or the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from providers import audit
from providers.catalog.faults import CatalogError
from providers.catalog.presets import address_of
from providers.catalog.prices import published_window
from providers.engine.needs import PLAIN
from providers.engine.routes import Ability
from providers.models import Deployment, User


@dataclass(frozen=True, slots=True)
class Trait:
    """A number of a deployment with its bounds; what a person reads, and in which unit."""

    label: str
    least: float
    most: float
    is_whole: bool = True


TRAITS: Mapping[str, Trait] = {
    "context_tokens": Trait("Context, tokens", 1, 100_000_000),
    "max_attempts": Trait("Tries in all", 1, 10),
    "requests_per_second": Trait("Requests a second", 0.001, 100_000, is_whole=False),
    "burst": Trait("Requests at once", 1, 100_000),
    "tokens_per_minute": Trait("Tokens a minute", 1, 1_000_000_000),
    "connect_timeout_s": Trait("Connect, s", 0.1, 300, is_whole=False),
    "first_token_timeout_s": Trait("First token, s", 0.1, 3600, is_whole=False),
    "idle_timeout_s": Trait("Between tokens, s", 0.1, 3600, is_whole=False),
    "total_timeout_s": Trait("Whole answer, s", 0.1, 3600, is_whole=False),
}


@transaction.atomic
def set_traits(
    deployment: Deployment,
    numbers: Mapping[str, float | None],
    lacks: frozenset[Ability] | None = None,
    by: User | None = None,
) -> None:
    """Set the numbers that are named; None: the default again. `lacks` None: as it was.

    Raises CatalogError.
    """
    changed = []
    before = _told(deployment)
    for name, value in numbers.items():
        _check(name, value)
        if getattr(deployment, name) != value:
            setattr(deployment, name, value)
            changed.append(name)
    if lacks is not None and lacks_of(deployment) != lacks:
        deployment.lacks = sorted(lacks)
        changed.append("lacks")
    if changed:
        deployment.save(update_fields=changed)
        audit.write_change(by, "deployment.changed", deployment.named, before, _told(deployment))


def _told(deployment: Deployment) -> audit.Facts:
    return {name: getattr(deployment, name) for name in (*TRAITS, "lacks")}


def abilities(text: str) -> frozenset[Ability]:
    """Read `vision, tools`. Raises CatalogError."""
    try:
        return frozenset(Ability(word.strip()) for word in text.split(",") if word.strip())
    except ValueError:
        known = ", ".join(Ability)
        raise CatalogError(f"{text!r} is not some of {known}.", field="lacks") from None


def lacks_of(deployment: Deployment) -> frozenset[Ability]:
    """Read what the row says; what a newer version wrote there is left out."""
    return frozenset(Ability(word) for word in deployment.lacks if word in set(Ability))


def numbers_of(deployment: Deployment) -> dict[str, float]:
    """Name what the operator has set, by the names of the engine's fields."""
    found = {name: getattr(deployment, name) for name in TRAITS}
    return {name: value for name, value in found.items() if value is not None}


def window_of(deployment: Deployment) -> int | None:
    """Tokens that the model takes: the operator's word, else the published; None: unknown."""
    if deployment.context_tokens is not None:
        return deployment.context_tokens
    provider = deployment.provider
    return published_window(provider.kind, address_of(provider), deployment.model)


def in_words(deployment: Deployment) -> list[str]:
    """Say what differs from the defaults, for lists."""
    words = [
        f"{TRAITS[name].label.lower()}: {value:,g}"
        for name, value in numbers_of(deployment).items()
    ]
    return [f"no {PLAIN[one]}" for one in sorted(lacks_of(deployment))] + words


def _check(name: str, value: float | None) -> None:
    trait = TRAITS[name]
    if value is None or trait.least <= value <= trait.most:
        return
    raise CatalogError(
        f"{trait.label}: from {trait.least:,g} to {trait.most:,.0f}, or empty for the default.",
        field=name,
    )
