"""Where a prompt may go: deployments, and the routes that order them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from providers.engine.usage import Price


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one provider: the unit of price, limits and health.

    `kind` names the adapter. `is_local` lets an owner's base URL resolve to private addresses.
    `price` None: nobody told us; it is never zero. `max_output_tokens` bounds every answer, and so
    the worst case that a budget must hold. `requests_per_second` None: no limit of our own.
    Durations in seconds; `total_timeout_s` applies to plain answers, streams have none.
    """

    id: int
    provider: str
    kind: str
    model: str
    base_url: str
    is_local: bool = False
    price: Price | None = None
    max_output_tokens: int = 4096
    requests_per_second: float | None = 10.0
    burst: int = 20
    max_attempts: int = 3
    connect_timeout_s: float = 10.0
    first_token_timeout_s: float = 30.0
    idle_timeout_s: float = 60.0
    total_timeout_s: float = 60.0
    options: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def name(self) -> str:
        # A test of a key asks a provider, no model of it in particular.
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Route:
    """A public model name and its deployments in order of preference; never empty."""

    name: str
    deployments: tuple[Deployment, ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A wire format as an operator chooses it. `base_url` is what most people want there."""

    label: str
    base_url: str
    needs_key: bool


KINDS: Mapping[str, Kind] = {
    "demo": Kind("Demo (built in, free)", "", needs_key=False),
    "openai_chat": Kind("OpenAI compatible", "https://api.openai.com/v1", needs_key=True),
    "anthropic_messages": Kind("Anthropic", "https://api.anthropic.com", needs_key=True),
}

DEMO_MODELS: Mapping[str, str] = {
    "demo": "answers",
    "demo-slow": "takes its time",
    "demo-429": "is always at its rate limit",
    "demo-503": "is never available",
    "demo-cut": "breaks off in the middle",
    "demo-stall": "falls silent in the middle",
    "demo-garbled": "sends nonsense in the middle",
    "demo-tools": "calls the tools that it is offered",
    "demo-reasoning": "thinks aloud first",
    "demo-json": "answers in JSON, to the schema if there is one",
}
"""What each of the demo's models does; every other name answers as `demo` does."""
