"""The header `x-gai-cache`: what a caller wants of the cache, and what they got."""

from __future__ import annotations

from providers.engine.call import Hit
from providers.engine.errors import InvalidRequest
from providers.engine.request import Caching
from providers.wire.http import Exchange, Headers

HEADER = b"x-gai-cache"


def caching(exchange: Exchange) -> Caching | None:
    """Raise InvalidRequest."""
    asked = exchange.header(HEADER).strip().lower()
    if not asked:
        return None
    try:
        return Caching(asked)
    except ValueError:
        raise InvalidRequest(
            "The header x-gai-cache must be `on` or `off`.", param="x-gai-cache"
        ) from None


def hit_headers(hit: Hit | None) -> Headers:
    """Whole seconds since the answer was made, and where it lay; nothing where it is new."""
    if hit is None:
        return []
    return [(HEADER, f"hit; age={int(hit.age_s)}; tier={hit.tier}".encode())]
