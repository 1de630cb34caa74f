"""Where a prompt may go: deployments, and the routes that order them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from providers.engine.usage import Price


class Ability(StrEnum):
    """What not every model can do."""

    TOOLS = "tools"
    VISION = "vision"
    JSON = "json"
    AUDIO = "audio"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one provider: the unit of price, limits and health.

    `kind` names the adapter. `is_local` lets an owner's base URL resolve to private addresses.
    `price` None: nobody told us; it is never zero. `max_output_tokens` bounds every answer, and so
    the worst case that a budget must hold. `requests_per_second` and `tokens_per_minute` None: no
    limit of our own. `lacks` is what the model is known not to do; `context_tokens` None: nobody
    told us how much it takes.
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
    tokens_per_minute: int | None = None
    context_tokens: int | None = None
    lacks: frozenset[Ability] = frozenset()

    @property
    def name(self) -> str:
        # A test of a key asks a provider, no model of it in particular.
        return f"{self.provider}/{self.model}" if self.model else self.provider


@dataclass(frozen=True, slots=True)
class Route:
    """A public model name and its deployments in order of preference; never empty, no doubles.

    `weights` by deployment id spread calls: one of those that have a weight is asked first, the
    others stand in for it in their order. Empty: always the first.
    """

    name: str
    deployments: tuple[Deployment, ...]
    weights: Mapping[int, float] = field(default_factory=dict[int, float])

    def __post_init__(self) -> None:
        ids = [deployment.id for deployment in self.deployments]
        if not ids or len(set(ids)) != len(ids):
            raise ValueError(f"Route {self.name!r} needs deployments, each of them once.")
        if any(weight <= 0 or id not in ids for id, weight in self.weights.items()):
            raise ValueError(f"Route {self.name!r} has a weight that is not above 0, or nobody's.")

    def in_order(self, luck: float) -> tuple[Deployment, ...]:
        """Whom to ask one after the other; `luck` in 0..1 chooses the first by weight."""
        left = luck * sum(self.weights.values())
        for deployment in self.deployments:
            left -= self.weights.get(deployment.id, 0.0)
            if self.weights and left < 0:
                others = (each for each in self.deployments if each is not deployment)
                return (deployment, *others)
        return self.deployments


@dataclass(frozen=True, slots=True)
class Kind:
    """A wire format as an operator chooses it. `base_url` is what most people want there."""

    label: str
    base_url: str
    needs_key: bool


KINDS: Mapping[str, Kind] = {
    "demo": Kind("Demo (built in, free)", "", needs_key=False),
    "openai_chat": Kind("OpenAI compatible", "https://api.openai.com/v1", needs_key=True),
    "openai_responses": Kind("OpenAI Responses", "https://api.openai.com/v1", needs_key=True),
    "anthropic_messages": Kind("Anthropic", "https://api.anthropic.com", needs_key=True),
    "gemini": Kind(
        "Google Gemini", "https://generativelanguage.googleapis.com/v1beta", needs_key=True
    ),
    "ollama": Kind("Ollama", "http://127.0.0.1:11434", needs_key=False),
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
