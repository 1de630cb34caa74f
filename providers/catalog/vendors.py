"""The cards of the wizard and of the provider page: well-known vendors, and how to connect them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.db import transaction

from providers.catalog.faults import CatalogError
from providers.catalog.providers import add_provider
from providers.catalog.routes import OwnPrice, add_route, lead_demo_route
from providers.engine.presets import PRESETS
from providers.models import Provider, Route, User


@dataclass(frozen=True, slots=True)
class Vendor:
    """`kind` is a wire format or a preset. `key_prefix` is how its keys begin, `model` a cheap one
    to begin with; empty: not known.

    `asks_address`: it may be anywhere; `address` is where it usually is. `is_common`: shown first.
    """

    id: str
    label: str
    words: str
    kind: str
    key_prefix: str = ""
    model: str = ""
    asks_address: bool = False
    is_common: bool = False

    @property
    def address(self) -> str:
        return PRESETS[self.kind].base_url if self.kind in PRESETS else ""


def _preset(name: str, words: str, key_prefix: str = "", model: str = "") -> Vendor:
    preset = PRESETS[name]
    return Vendor(name, preset.label, words, name, key_prefix, model, asks_address=preset.is_local)


_CARDS = (
    Vendor(
        "demo",
        "Demo provider",
        "No key, free, made for trying. Answers stream at once.",
        "demo",
        is_common=True,
    ),
    replace(_preset("openai", "GPT models, with your key.", "sk-", "gpt-4o-mini"), is_common=True),
    replace(
        _preset("anthropic", "Claude models, with your key.", "sk-ant-", "claude-haiku-4-5"),
        is_common=True,
    ),
    Vendor(
        "gemini",
        "Google Gemini",
        "Gemini models, with your key.",
        "gemini",
        "AIza",
        "gemini-2.5-flash",
        is_common=True,
    ),
    Vendor(
        "compatible",
        "OpenAI-compatible",
        "Any server that speaks OpenAI's API, by its address.",
        "openai_chat",
        asks_address=True,
        is_common=True,
    ),
    Vendor(
        "openai_responses",
        "OpenAI Responses",
        "GPT models by OpenAI's newer wire: they keep their thoughts from turn to turn.",
        "openai_responses",
        model="gpt-5-mini",
    ),
    _preset("groq", "Open models, very fast.", "gsk_", "llama-3.1-8b-instant"),
    _preset("openrouter", "Models of many makers.", "sk-or-", "openai/gpt-4o-mini"),
    _preset("together", "Open models."),
    _preset("fireworks", "Open models.", "fw_"),
    _preset("deepseek", "DeepSeek's own models."),
    _preset("xai", "Grok models.", "xai-"),
    _preset("mistral", "Mistral's own models.", "", "mistral-small-latest"),
    _preset("ollama", "A server of your own, by its own wire."),
    _preset("vllm", "A server of your own."),
    _preset("llamacpp", "A server of your own."),
    _preset("lmstudio", "On a computer of your own."),
)
VENDORS: Mapping[str, Vendor] = {vendor.id: vendor for vendor in _CARDS}


@dataclass(frozen=True, slots=True, repr=False)
class Connection:
    """What is typed on a card. `address` and `is_local` count where the vendor asks for them.

    `model` empty: the vendor's; `prices` None: the published ones.
    """

    vendor: Vendor
    address: str = ""
    is_local: bool = False
    secret: str = ""
    model: str = ""
    prices: OwnPrice | None = None


def connect(wanted: Connection, by: User | None = None) -> Route:
    """Make the vendor's provider and a route named like its model. Raises CatalogError."""
    vendor = wanted.vendor
    address = wanted.address if vendor.asks_address else ""
    with transaction.atomic():
        provider = add_provider(
            name=_name(vendor, address),
            kind=vendor.kind,
            base_url=address,
            is_local=wanted.is_local and vendor.asks_address,
            secret=wanted.secret.strip() or None,
            by=by,
        )
        return _route(provider, wanted, by)


def _route(provider: Provider, wanted: Connection, by: User | None) -> Route:
    if provider.kind == "demo":
        return lead_demo_route(provider, by)
    model = wanted.model.strip() or wanted.vendor.model
    if not model:
        raise CatalogError("Name the model that prompts go to first.", field="model")
    targets = [f"{provider.name}/{model}"]
    return add_route(name=model, targets=targets, prices=wanted.prices, by=by)


def _name(vendor: Vendor, address: str) -> str:
    """Name a compatible server after its host: `groq` for api.groq.com, `local` for an IP."""
    if not vendor.asks_address or vendor.kind in PRESETS:
        return vendor.id
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return vendor.id
    labels = host.split(".")
    if _is_ip(host) or len(labels) == 1:
        return "local"
    return "".join(sign for sign in labels[-2].lower() if sign.isalnum())[:64] or vendor.id


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
