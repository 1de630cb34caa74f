"""Headers of ours on every interface: what a caller wants of the cache, and what was given."""

from __future__ import annotations

from providers.engine.call import Hit
from providers.engine.errors import InvalidRequest
from providers.engine.levels import Level
from providers.engine.request import Caching

CACHE = "x-gai-cache"
LEVEL = "x-gai-degradation"
BUDGET = "x-gai-budget"


def caching(asked: str) -> Caching | None:
    """Read the request's `x-gai-cache`; empty: nothing was asked. Raises InvalidRequest."""
    word = asked.strip().lower()
    if not word:
        return None
    try:
        return Caching(word)
    except ValueError:
        raise InvalidRequest(f"The header {CACHE} must be `on` or `off`.", param=CACHE) from None


def of_hit(hit: Hit | None) -> dict[str, str]:
    """Whole seconds since the answer was made, and where it lay; nothing where it is new."""
    return {} if hit is None else {CACHE: f"hit; age={int(hit.age_s)}; tier={hit.tier}"}


def of_level(level: Level) -> dict[str, str]:
    """Say that the installation offers less than all now, and how much less."""
    return {} if level is Level.FULL else {LEVEL: level.value}


def of_budget(cheaper_route: str) -> dict[str, str]:
    """Say that a cheaper route answered because of a budget, and which; empty: none did."""
    return {BUDGET: f"degraded; route={cheaper_route}"} if cheaper_route else {}
