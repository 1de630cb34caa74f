"""What can be called: providers, their deployments with prices, and the routes over them."""

from providers.catalog.faults import CatalogError
from providers.catalog.providers import add_provider, remove_provider
from providers.catalog.routes import OwnPrice, add_route, lead_demo_route, remove_route, set_price

__all__ = [
    "CatalogError",
    "OwnPrice",
    "add_provider",
    "add_route",
    "lead_demo_route",
    "remove_provider",
    "remove_route",
    "set_price",
]
