"""One answer in plain values, for the reader of a body and for our adapters alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from providers.engine.errors import EngineError
from providers.engine.events import (
    Event,
    Finish,
    ReasoningDelta,
    TextDelta,
    ToolCalled,
    UsageReported,
)


class Called(NamedTuple):
    """`arguments` as an object where they are JSON: spaces of an encoder are nobody's."""

    id: str
    name: str
    arguments: Any

    @classmethod
    def of(cls, id: str, name: str, arguments: str) -> Called:
        try:
            return cls(id, name, json.loads(arguments or "{}"))
        except ValueError:
            return cls(id, name, arguments)


class Counts(NamedTuple):
    """Inclusive buckets: cached tokens are input, reasoning is output."""

    input: int
    output: int
    cache_read: int = 0
    cache_write: int = 0
    reasoning: int = 0


@dataclass(frozen=True)
class Said:
    """`error` is the name of our class. `finish` None: it did not end well.

    `calls` with an empty id: the body has none, and ours is then whatever it is.
    """

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[Called, ...] = ()
    finish: str | None = None
    usage: Counts | None = None
    error: str | None = None


def frames(body: str) -> list[dict[str, Any]]:
    """Read every `data:` line of a recorded stream that is JSON."""
    lines = (line[5:].strip() for line in body.split("\n") if line.startswith("data:"))
    return [json.loads(line) for line in lines if line.startswith("{")]


def told(events: Sequence[Event], error: EngineError | None = None) -> Said:
    """Put what an adapter told into the same values."""
    texts = [event for event in events if isinstance(event, TextDelta)]
    usages = [event.usage for event in events if isinstance(event, UsageReported)]
    usage = usages[-1] if usages else None
    ends = [event for event in events if isinstance(event, Finish)]
    return Said(
        text="".join(event.text for event in texts if not event.is_refusal),
        reasoning="".join(event.text for event in events if isinstance(event, ReasoningDelta)),
        refusal="".join(event.text for event in texts if event.is_refusal),
        calls=tuple(
            Called.of(event.call.id, event.call.name, event.call.arguments)
            for event in events
            if isinstance(event, ToolCalled)
        ),
        finish=str(ends[0].reason) if len(ends) == 1 and events[-1] is ends[0] else None,
        usage=None
        if usage is None
        else Counts(
            usage.input_tokens,
            usage.output_tokens,
            usage.cache_read_tokens,
            usage.cache_write_tokens,
            usage.reasoning_tokens,
        ),
        error=None if error is None else type(error).__name__,
    )
