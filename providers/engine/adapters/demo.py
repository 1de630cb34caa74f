"""A provider that needs no key: seeded text, streamed as a real one streams."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256

from providers.engine.call import Attempt, Call, Reply, input_bytes, output_bound
from providers.engine.events import Event, Finish, FinishReason, TextDelta, UsageReported
from providers.engine.ports import Sleep
from providers.engine.request import Message, Role
from providers.engine.routes import Deployment
from providers.engine.usage import BYTES_PER_TOKEN, Usage, tokens_of

_MOST_QUOTED = 80
_PIECE = re.compile(r"\s*\S{1,24}|\s+")

_OPENINGS = (
    (
        "You asked about **{topic}**. This is the built-in demo model: it needs no key and costs "
        "nothing. The words are made up; everything around them is real."
    ),
    (
        "Here is a short answer about **{topic}** from the built-in demo model. It runs inside "
        "this server: a real provider would think, this one only writes."
    ),
    (
        "Let us look at **{topic}**. I am the demo model and show what an answer looks like here: "
        "streamed, measured and booked like any other."
    ),
)
_POINTS = (
    "**Start small.** Take one case of {topic} that you can finish today.",
    "**Name the goal.** Write down what a good result would look like.",
    "**Measure first.** A figure from before is worth ten from after.",
    "**Ask somebody.** A second pair of eyes finds what the first has skipped.",
    "**Keep notes.** The next person who meets {topic} may be you.",
    "**Stop in time.** When it works and reads well, it is done.",
)
_CODE = '''```python
def plan(topic: str, steps: int = {steps}) -> list[str]:
    """Break a topic into steps that fit into a day."""
    return [f"Step {{number}}: {{topic}}" for number in range(1, steps + 1)]


for line in plan({quoted}):
    print(line)
```'''
_CLOSINGS = (
    "Add a provider in the settings to hear from a model that knows something about {topic}.",
    "That is all the demo knows of {topic}. Choose another route to ask a real model.",
)


@dataclass(frozen=True, slots=True)
class DemoAdapter:
    """The same prompt gets the same words: the seed is the request's, or made of its text.

    A token is four bytes, as everywhere where nobody counts. `pause_s` lies between two pieces.
    """

    sleep: Sleep
    pause_s: float = 0.02
    kind: str = "demo"

    def input_overhead(self, call: Call) -> int:  # noqa: ARG002 - the port's; nothing is added here
        return 0

    @asynccontextmanager
    async def open(
        self,
        attempt: Attempt,
        secret: str | None,  # noqa: ARG002 - the port's; it needs no key
    ) -> AsyncGenerator[Reply]:
        yield Reply(events=self._events(attempt))

    async def check(
        self,
        deployment: Deployment,  # noqa: ARG002 - the port's; there is one demo
        secret: str | None,  # noqa: ARG002 - the port's; it needs no key
    ) -> int:
        return 1

    async def _events(self, attempt: Attempt) -> AsyncGenerator[Event, None]:
        request = attempt.call.request
        text = answer(request.messages, request.seed)
        said = _first_bytes(text, output_bound(request, attempt.deployment) * BYTES_PER_TOKEN)
        for piece in _PIECE.findall(said) if request.stream else (said,):
            await self.sleep(self.pause_s)
            yield TextDelta(piece)
        yield UsageReported(
            Usage(
                input_tokens=tokens_of(input_bytes(request)),
                output_tokens=tokens_of(len(said.encode())),
            )
        )
        yield Finish(FinishReason.STOP if said == text else FinishReason.LENGTH)


def answer(messages: tuple[Message, ...], seed: int | None = None) -> str:
    """Write markdown about the last question: a paragraph, a list, code, a closing line."""
    question = next((m.text for m in reversed(messages) if m.role is Role.USER), "")
    choose = random.Random(_seed_of(question) if seed is None else seed)  # noqa: S311 - words only
    topic = _topic(question)
    steps = choose.randint(3, 5)
    points = enumerate(choose.sample(_POINTS, steps), start=1)
    parts = (
        choose.choice(_OPENINGS).format(topic=topic),
        "\n".join(f"{place}. {point.format(topic=topic)}" for place, point in points),
        _CODE.format(steps=steps, quoted=repr(topic)),
        choose.choice(_CLOSINGS).format(topic=topic),
    )
    return "\n\n".join(parts)


def _topic(question: str) -> str:
    """Take the first words, without what would break out of bold text or a line."""
    words = re.sub(r"[*_`\[\]<>\s]+", " ", question).strip(" .?!:")
    if len(words) > _MOST_QUOTED:
        words = words[:_MOST_QUOTED].rsplit(" ", 1)[0] + "..."
    return words or "nothing in particular"


def _seed_of(question: str) -> int:
    # Python's own hash changes from process to process.
    return int.from_bytes(sha256(question.encode()).digest()[:8])


def _first_bytes(text: str, most: int) -> str:
    return text.encode()[:most].decode(errors="ignore")
