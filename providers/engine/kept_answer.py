"""A whole answer as bytes, and its events again from them.

Deltas are joined where they follow each other; a reader who wants a stream gets pieces.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import orjson

from providers.engine.events import (
    Citation,
    Citations,
    Event,
    Finish,
    FinishReason,
    Notice,
    ReasoningDelta,
    Start,
    TextDelta,
    UsageReported,
)
from providers.engine.request import Reasoning
from providers.engine.usage import Usage

Part = TextDelta | ReasoningDelta | Citations
_PIECE = 60
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Content:
    """`deployment` is `provider/model`, who gave it. `cost_nano` None: it has no price."""

    deployment: str
    usage: Usage
    cost_nano: int | None
    parts: tuple[Part, ...]

    async def replay(self, *, in_pieces: bool) -> AsyncGenerator[Event, None]:
        for event in self.parts:
            if in_pieces and not isinstance(event, Citations):
                for piece in _pieces(event):
                    yield piece
            else:
                yield event
        yield UsageReported(self.usage)
        yield Finish(FinishReason.STOP)


@dataclass(slots=True)
class Gathering:
    """An answer on its way by. `is_fit` turns false for good where it may not be kept.

    Truncated, refused and filtered ones may not, nor what is no plain answer: tools, verdicts.
    """

    most_characters: int
    is_fit: bool = True
    usage: Usage | None = None
    _characters: int = 0
    _parts: list[Part] = field(default_factory=list[Part])

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(is_refusal=True):
                self.is_fit = False
            case TextDelta() | ReasoningDelta():
                self._say(event)
            case Citations():
                self._parts.append(event)
            case UsageReported(usage):
                self.usage = usage
            case Finish(reason):
                self.is_fit &= reason is FinishReason.STOP and self._characters > 0
            case Start() | Notice():
                pass
            case _:
                self.is_fit = False

    def content(self, deployment: str, cost_nano: int | None) -> Content | None:
        """None: it may not be kept."""
        if not self.is_fit or self.usage is None:
            return None
        return Content(deployment, self.usage, cost_nano, tuple(self._parts))

    def _say(self, event: TextDelta | ReasoningDelta) -> None:
        self._characters += len(event.text)
        self.is_fit &= self._characters <= self.most_characters
        if not self.is_fit:
            self._parts.clear()
            return
        last = self._parts[-1] if self._parts else None
        if isinstance(last, (TextDelta, ReasoningDelta)) and _follows(last, event):
            self._parts[-1] = replace(event, text=last.text + event.text)
        else:
            self._parts.append(event)


def packed(content: Content) -> bytes:
    parts = [{"type": type(event).__name__, **asdict(event)} for event in content.parts]
    return orjson.dumps({
        "version": _VERSION,
        "deployment": content.deployment,
        "usage": asdict(content.usage),
        "cost_nano": content.cost_nano,
        "parts": parts,
    })


def unpacked(value: bytes) -> Content | None:
    """None: it is broken, or another version of ours has written it."""
    try:
        said: dict[str, Any] = orjson.loads(value)
        if said["version"] != _VERSION:
            return None
        parts = tuple(_part(each) for each in said["parts"])
        return Content(said["deployment"], _usage(said["usage"]), said["cost_nano"], parts)
    except (ValueError, KeyError, TypeError):
        return None


def _usage(said: dict[str, Any]) -> Usage:
    """Read it back: JSON has lists where it has tuples."""
    figures: list[str] = said.pop("estimated_figures")
    return Usage(**said, estimated_figures=tuple(figures))


def _part(said: dict[str, Any]) -> Part:
    kind = said.pop("type")
    if kind == TextDelta.__name__:
        return TextDelta(**said)
    if kind == ReasoningDelta.__name__:
        replay = said["replay"]
        return ReasoningDelta(said["text"], Reasoning(**replay) if replay else None)
    return Citations(tuple(Citation(**each) for each in said["items"]))


def _follows(last: Part | None, event: TextDelta | ReasoningDelta) -> bool:
    """Tell whether both are one text; a sealed thought ends its delta, the next is another."""
    is_sealed = isinstance(last, ReasoningDelta) and last.replay is not None
    return type(last) is type(event) and not is_sealed


def _pieces(event: TextDelta | ReasoningDelta) -> list[TextDelta | ReasoningDelta]:
    texts = [event.text[at : at + _PIECE] for at in range(0, len(event.text), _PIECE)] or [""]
    if isinstance(event, TextDelta):
        return [TextDelta(text) for text in texts]
    return [
        *(ReasoningDelta(text) for text in texts[:-1]),
        ReasoningDelta(texts[-1], event.replay),
    ]
