"""Add, change and switch off providers. Sync: for pages and commands; safe to repeat."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.db import transaction

from providers import audit, credentials
from providers.catalog.faults import CatalogError
from providers.catalog.presets import address_of, preset_of
from providers.engine.presets import PRESETS, choices, kind_of
from providers.models import Credential, Provider, User

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def add_provider(
    *,
    name: str,
    kind: str,
    base_url: str = "",
    is_local: bool = False,
    secret: str | None = None,
    by: User | None = None,
) -> Provider:
    """Make the provider, or bring an existing one of that name to these values.

    `kind` is a wire format or a preset, `base_url` empty: its own. `secret` None: keep the one that
    is stored, which never follows a provider to another address.
    Raises CatalogError, RingUnreadable.
    """
    wanted = _drafted(name, kind, base_url, is_local=is_local)
    with transaction.atomic():
        provider = Provider.objects.select_for_update().filter(name=name).first()
        before = _told(provider) if provider is not None else None
        if provider is not None:
            _refuse_unsuitable(provider, wanted, secret)
            _bring(provider, wanted)
        else:
            provider = wanted
        provider.save()
        deed = "provider.made" if before is None else "provider.changed"
        audit.write_change(by, deed, name, before, _told(provider))
        if secret is not None:
            _keep_key(provider, secret, by)
        elif _lacks_key(provider):
            raise CatalogError(
                f"A provider of kind {kind} needs a key. Name the variable that holds it, or mark "
                "the provider local if it asks for none.",
                field="key",
            )
    return provider


def draft(*, kind: str, base_url: str, is_local: bool) -> Provider:
    """Make a provider that is not saved, for a live test of its values. Raises CatalogError."""
    provider = _drafted("draft", kind, base_url, is_local=is_local)
    provider.name = "The provider"
    return provider


@transaction.atomic
def set_enabled(provider: Provider, *, is_enabled: bool, by: User | None = None) -> None:
    """Switch it on or off; a disabled one keeps its rows and its history, and takes no prompt."""
    if provider.from_environment:
        raise CatalogError(
            f"{provider.name} comes from the environment; remove its key there.", field="name"
        )
    before = _told(provider)
    provider.is_enabled = is_enabled
    provider.save(update_fields=["is_enabled"])
    audit.write_change(by, "provider.switched", provider.name, before, _told(provider))


@transaction.atomic
def set_faults(provider: Provider, *, has_faults: bool, by: User | None = None) -> None:
    """Let the demo's faulty models fail, or answer as `demo` does; every process hears of it."""
    if provider.kind != "demo":
        raise CatalogError(
            f"{provider.name} fails by itself; only the demo does so to order.", field="kind"
        )
    before = {"has_faults": provider.has_faults}
    provider.has_faults = has_faults
    provider.save(update_fields=["has_faults"])
    after = {"has_faults": has_faults}
    audit.write_change(by, "provider.faults", provider.name, before, after)


@transaction.atomic
def remove_provider(provider: Provider, *, by: User | None = None) -> None:
    """Its deployments, credentials and places on routes go with it; the ledger keeps its names."""
    if provider.from_environment:
        raise CatalogError(
            f"{provider.name} comes from the environment; remove its key there.", field="name"
        )
    for credential in provider.credentials.all():
        credentials.revoke(credential, by=by, reason="Its provider was removed.")
    audit.write(by, "provider.removed", provider.name, before=_told(provider))
    provider.delete()


def _told(provider: Provider) -> audit.Facts:
    names = ("kind", "preset", "base_url", "is_local", "is_enabled")
    return {name: getattr(provider, name) for name in names}


def _drafted(name: str, choice: str, base_url: str, *, is_local: bool) -> Provider:
    if not _NAME.fullmatch(name):
        raise CatalogError(
            "A provider's name has small letters, digits, - and _, at most 64.", field="name"
        )
    if choice not in choices():
        raise CatalogError(f"Unknown kind {choice!r}. Known: {', '.join(choices())}.", field="kind")
    kind, preset = kind_of(choice), choice if choice in PRESETS else ""
    address = base_url.strip().rstrip("/")
    provider = Provider(name=name, kind=kind, preset=preset, base_url=address, is_local=is_local)
    if address:
        _check_address(address, is_local=is_local)
    else:
        # Its usual address is in one's own network, whatever the box says.
        provider.is_local = is_local or preset_of(provider).is_local
    return provider


def _bring(provider: Provider, wanted: Provider) -> None:
    for field in ("preset", "base_url", "is_local"):
        setattr(provider, field, getattr(wanted, field))
    provider.is_enabled = True


def _lacks_key(provider: Provider) -> bool:
    needs = preset_of(provider).needs_key and not provider.is_local
    return needs and not _has_credential(provider)


def _check_address(address: str, *, is_local: bool) -> None:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise CatalogError(f"{address!r} is not an address.", field="base_url") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise CatalogError("The base URL begins with https:// and a host.", field="base_url")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise CatalogError(
            "The base URL holds no user, password, ? or #; the key goes into its own field.",
            field="base_url",
        )
    if parts.scheme == "http" and not is_local:
        raise CatalogError(
            "Over http the key would travel unencrypted. Use https://, or mark the provider local "
            "if it is in your own network.",
            field="base_url",
        )


def _refuse_unsuitable(provider: Provider, wanted: Provider, secret: str | None) -> None:
    if provider.from_environment:
        raise CatalogError(
            f"{provider.name} comes from the environment and is changed there. "
            "Choose another name.",
            field="name",
        )
    if provider.kind != wanted.kind:
        raise CatalogError(
            f"{provider.name} is of kind {provider.kind}. Choose another name for a new provider.",
            field="kind",
        )
    if address_of(provider) != address_of(wanted):
        _refuse_to_take_keys_along(provider, secret)


def _refuse_to_take_keys_along(provider: Provider, secret: str | None) -> None:
    """Whoever may change an address must not read by it what others keep here."""
    stored = Credential.objects.filter(provider=provider)
    if stored.exclude(team=None, user=None).exists():
        raise CatalogError(
            "Teams or people keep keys for the old address. Connect the new address as another "
            "provider, or have those keys revoked first.",
            field="base_url",
        )
    if secret is None and stored.exists():
        raise CatalogError(
            "The stored key belongs to the old address. Give the key again for the new one.",
            field="key",
        )


def _keep_key(provider: Provider, secret: str, by: User | None) -> None:
    try:
        credentials.replace(provider, secret, by=by)
    except credentials.CredentialRefused as fault:
        raise CatalogError(fault.message, field=fault.field) from None


def _has_credential(provider: Provider) -> bool:
    return Credential.objects.filter(provider_id=provider.pk).exists()
