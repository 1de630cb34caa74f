"""Vectors of the demo: texts that share words point the same way."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from providers.engine.adapters.demo.faults import fault_of
from providers.engine.embedding import EmbeddingReply, Vector
from providers.engine.ports import Sleep
from providers.engine.routes import Deployment
from providers.engine.usage import Usage, tokens_of

_DIMENSIONS = 256
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class DemoEmbeddings:
    """The same text has the same vector of length 1: the sum of a direction for each word."""

    sleep: Sleep
    pause_s: float = 0.02
    kind: str = "demo"
    most_inputs: int = 2048

    async def embed(
        self,
        deployment: Deployment,
        inputs: Sequence[str],
        dimensions: int | None,
        secret: str | None,  # noqa: ARG002 - the port's; it needs no key
    ) -> EmbeddingReply:
        fault = fault_of(deployment)
        await self.sleep(self.pause_s + fault.first_wait_s)
        if fault.refuses is not None:
            raise fault.refuses(deployment.name)
        return EmbeddingReply(
            vectors=tuple(vector(text, dimensions or _DIMENSIONS) for text in inputs),
            model=deployment.model,
            usage=Usage(sum(tokens_of(len(text.encode())) for text in inputs), 0),
        )


def vector(text: str, dimensions: int) -> Vector:
    words = _WORD.findall(text.lower()) or [text]
    directions = [_direction(word, dimensions) for word in words]
    summed = [math.fsum(each) for each in zip(*directions, strict=True)]
    length = math.hypot(*summed) or 1.0
    return tuple(number / length for number in summed)


def _direction(word: str, dimensions: int) -> list[float]:
    # Python's own hash changes from process to process.
    seed = int.from_bytes(sha256(word.encode("utf-8", "surrogatepass")).digest()[:8])
    choose = random.Random(seed)  # noqa: S311 - directions, not secrets
    return [choose.gauss(0.0, 1.0) for _ in range(dimensions)]
