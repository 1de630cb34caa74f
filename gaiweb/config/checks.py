"""Checks that several settings share; each message ends in what to do."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from phonenumbers import SUPPORTED_REGIONS
from pydantic import SecretStr

KEY_BYTES = 32


def split_list(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def url_of(*schemes: str) -> Callable[[str | None], str | None]:
    """Make a check that lets an empty value or a URL of these schemes pass."""

    def check(value: str | None) -> str | None:
        if value and not _is_url(value, schemes):
            raise ValueError(
                f"is not a URL that starts with {' or '.join(f'{s}://' for s in schemes)}"
            )
        return value

    return check


def _is_url(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:
        return False
    has_place = bool(parts.netloc) or parts.scheme in {"unix", "filesystem", "memory"}
    return parts.scheme in schemes and has_place


def public_url(value: str) -> str:
    url_of("http", "https")(value)
    if urlsplit(value).path not in {"", "/"}:
        raise ValueError("has a path; pages live at the root of their host, so give only the host")
    return value.rstrip("/")


def networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ipaddress.ip_network(value, strict=False)
        except ValueError:
            raise ValueError(f"{value!r} is not an address or network like 10.0.0.0/8") from None
    return values


def long_enough(least: int) -> Callable[[SecretStr | None], SecretStr | None]:
    def check(value: SecretStr | None) -> SecretStr | None:
        if value and len(value.get_secret_value()) < least:
            raise ValueError(f"is shorter than {least} characters; generate a random one")
        return value

    return check


def key_ring(value: SecretStr) -> SecretStr:
    for number, entry in enumerate(ring_entries(value.get_secret_value()), start=1):
        name, _, encoded = entry.partition(":")
        if not name or len(_decoded(encoded)) != KEY_BYTES:
            raise ValueError(f"entry {number} is not `name:base64 of {KEY_BYTES} bytes`")
    return value


def ring_entries(text: str) -> list[str]:
    return [entry for entry in text.replace(",", "\n").split() if not entry.startswith("#")]


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return b""


def masked(value: str) -> str:
    """Hide a secret; of a URL only the scheme and the host remain."""
    parts = urlsplit(value) if "://" in value else None
    if parts is None:
        return "set"
    host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
    return f"{parts.scheme}://{host}{parts.path}"


def regions(values: tuple[str, ...]) -> tuple[str, ...]:
    """Take the countries that have a numbering plan, as two capital letters."""
    named = tuple(value.upper() for value in values)
    unknown = [value for value in named if value not in SUPPORTED_REGIONS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is no country code; write two letters such as US")
    return named


ROLES = ("system", "developer", "user", "assistant", "tool")


def roles(values: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [value for value in values if value not in ROLES]
    if unknown or "user" not in values:
        raise ValueError(f"is a list of {', '.join(ROLES)}, with user among them")
    return values
