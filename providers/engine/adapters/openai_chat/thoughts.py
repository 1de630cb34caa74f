"""What a model thought, put together so that it can be shown it again."""

from __future__ import annotations

from typing import Any

import orjson

from providers.engine.adapters.openai_chat.messages import KIND
from providers.engine.events import ReasoningDelta
from providers.engine.json_fields import Fields, objects
from providers.engine.request import Reasoning

# Fields of a detail that come in pieces; of others the last word counts.
_GROWING = ("text", "summary", "data")


class Thoughts:
    """OpenRouter seals thoughts in `reasoning_details`, which are to come back as they were.

    Source: OpenRouter, "Reasoning Tokens", preserving reasoning: pieces of a stream belong
    together by their index and type.
    """

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._details: dict[tuple[Any, Any], Fields] = {}

    def take(self, text: str) -> ReasoningDelta:
        self._texts.append(text)
        return ReasoningDelta(text)

    def take_details(self, value: object) -> None:
        for place, piece in enumerate(objects(value)):
            key = (piece.get("index", place), piece.get("type"))
            known = self._details.setdefault(key, {})
            for name, said in piece.items():
                if name in _GROWING and isinstance(said, str):
                    known[name] = str(known.get(name) or "") + said
                elif said is not None or name not in known:
                    known[name] = said

    def whole(self) -> list[ReasoningDelta]:
        """Make the last delta, with the whole thought; none where nothing was thought."""
        if not self._texts and not self._details:
            return []
        sealed = orjson.dumps(list(self._details.values())).decode() if self._details else None
        text = "".join(self._texts)
        replay = Reasoning(text, sealed, wire=KIND, is_redacted=not text)
        return [ReasoningDelta("", replay)]
