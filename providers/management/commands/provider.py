"""`manage.py provider add`."""

from __future__ import annotations

import os
from typing import Any

from django.core.management.base import CommandError

from providers import catalog
from providers.catalog.faults import CatalogError
from providers.catalog.presets import address_of
from providers.credentials.ring import RingUnreadable
from providers.engine.presets import choices
from providers.management.command import ScriptCommand


class Command(ScriptCommand):
    help = "Add providers. Repeating a command changes nothing."

    def add_actions(self, actions: Any) -> None:
        add = self.action(actions, "add", "Add a provider, or bring it to these values.")
        add.add_argument("name", metavar="NAME")
        add.add_argument(
            "--kind", required=True, choices=choices(), help="a wire format, or a vendor by name"
        )
        add.add_argument("--base-url", default="", help="empty: the kind's own")
        add.add_argument(
            "--key-env", metavar="VAR", help="environment variable that holds the provider's key"
        )
        add.add_argument(
            "--local", action="store_true", help="allow loopback and private addresses, and http"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        name, kind = options["name"], options["kind"]
        try:
            provider = catalog.add_provider(
                name=name,
                kind=kind,
                base_url=options["base_url"],
                is_local=options["local"],
                secret=_secret(options["key_env"]),
            )
            route = catalog.lead_demo_route(provider) if kind == "demo" else None
        except CatalogError as error:
            field = "key_env" if error.field == "key" else error.field
            raise self.refusal(field, error.message) from None
        except RingUnreadable as fault:
            raise CommandError(f"GAIWEB_KEY_RING: {fault}") from None
        value = {
            "provider": provider.name,
            "kind": provider.kind,
            "base_url": address_of(provider),
            "local": provider.is_local,
            "route": route.name if route else None,
        }
        words = f"Provider {provider.name} is there."
        if route:
            words += f" Route {route.name} leads to it."
        self.answer(options, value, words)


def _secret(variable: str | None) -> str | None:
    if variable is None:
        return None
    secret = os.environ.get(variable, "")
    if not secret.strip():
        raise CommandError(f"--key-env: {variable} is not set. Export it, then run this again.")
    return secret
