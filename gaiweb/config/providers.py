"""Providers that the environment names, in the order in which they stand in for each other."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import SecretStr

from gaiweb.config.groups import Provider

PROVIDER_KINDS = {
    "openai": "openai_chat",
    "anthropic": "anthropic_messages",
    "groq": "openai_chat",
    "gemini": "gemini",
    "ollama": "ollama",
}
# Many know these servers by the address of their compatible endpoint.
_COMPATIBLE = {"gemini": "/openai", "ollama": "/v1"}


@dataclass(frozen=True, slots=True)
class EnvironmentProvider:
    """One read-only provider; its model stands on the route `default`.

    `api_key` None: the server needs none. `is_local`: it may live at a private address.
    `timeout_s` bounds a plain answer; `max_attempts` counts the first try.
    """

    name: str
    kind: str
    base_url: str
    is_local: bool
    model: str
    api_key: SecretStr | None
    organization: str | None
    max_attempts: int
    timeout_s: float
    requests_per_second: float


def provider_of(name: str, group: Provider) -> EnvironmentProvider:
    return EnvironmentProvider(
        name=name,
        kind=PROVIDER_KINDS[name],
        base_url=group.base_url.rstrip("/").removesuffix(_COMPATIBLE.get(name, "")),
        is_local=name == "ollama",
        model=group.model,
        api_key=group.api_key,
        organization=group.organization,
        max_attempts=group.max_retries,
        timeout_s=group.timeout,
        requests_per_second=group.rate_limit_rps,
    )
