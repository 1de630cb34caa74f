"""Which well-known vendor a provider is, and so where it is and how it departs from its wire."""

from __future__ import annotations

from providers.engine import presets
from providers.engine.presets import Preset
from providers.models import Provider


def preset_of(provider: Provider) -> Preset:
    """Take the one that was chosen; providers of before there were any are known by address."""
    return presets.preset_of(provider.preset, provider.kind, provider.base_url)


def address_of(provider: Provider) -> str:
    return provider.base_url or preset_of(provider).base_url
