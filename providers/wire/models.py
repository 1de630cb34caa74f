"""`GET /v1/models`: the routes that a key may use, in OpenAI's shape."""

from __future__ import annotations

from providers import gateway
from providers.engine.call import Caller
from providers.engine.errors import UnknownModel
from providers.gateway import RouteInfo
from providers.wire.http import Exchange


async def list_all(exchange: Exchange, caller: Caller) -> None:
    routes = await gateway.route_names(caller)
    await exchange.json(200, {"object": "list", "data": [_model(route) for route in routes]}, [])


async def show(exchange: Exchange, caller: Caller, name: str) -> None:
    """Raise UnknownModel."""
    for route in await gateway.route_names(caller):
        if route.name == name:
            await exchange.json(200, _model(route), [])
            return
    raise UnknownModel(f"There is no model {name[:120]!r} for this key. See GET /v1/models.")


def _model(route: RouteInfo) -> dict[str, object]:
    return {
        "id": route.name,
        "object": "model",
        "created": int(route.created_at.timestamp()),
        "owned_by": route.provider,
    }
