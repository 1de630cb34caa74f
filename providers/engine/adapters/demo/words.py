"""What the demo says: markdown about the last question, thoughts, and nothing it knows."""

from __future__ import annotations

import random
import re
from hashlib import sha256

from providers.engine.request import Message, Role

_MOST_QUOTED = 80
_PIECE = re.compile(r"\s*\S{1,24}|\s+")

THOUGHTS = (
    "The question is about {topic}. "
    "I am the demo and know nothing of it, so I choose an opening, a few points and a closing. "
    "An example in code always helps. "
    "Then I write it down."
)

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


def answer(messages: tuple[Message, ...], seed: int | None = None) -> str:
    """Write markdown about the last question: a paragraph, a list, code, a closing line."""
    question = last_question(messages)
    choose = random.Random(_seed_of(question) if seed is None else seed)  # noqa: S311 - words only
    topic = topic_of(question)
    steps = choose.randint(3, 5)
    points = enumerate(choose.sample(_POINTS, steps), start=1)
    parts = (
        choose.choice(_OPENINGS).format(topic=topic),
        "\n".join(f"{place}. {point.format(topic=topic)}" for place, point in points),
        _CODE.format(steps=steps, quoted=repr(topic)),
        choose.choice(_CLOSINGS).format(topic=topic),
    )
    return "\n\n".join(parts)


def last_question(messages: tuple[Message, ...]) -> str:
    return next((m.text for m in reversed(messages) if m.role is Role.USER), "")


def pieces(text: str) -> list[str]:
    """Cut it as a stream would, into a word or so each; joined they are the text again."""
    return _PIECE.findall(text)


def topic_of(question: str) -> str:
    """Take the first words, without what would break out of bold text or a line."""
    words = re.sub(r"[*_`\[\]<>\s]+", " ", question).strip(" .?!:")
    if len(words) > _MOST_QUOTED:
        words = words[:_MOST_QUOTED].rsplit(" ", 1)[0] + "…"
    return words or "nothing in particular"


def _seed_of(question: str) -> int:
    # Python's own hash changes from process to process.
    return int.from_bytes(sha256(question.encode()).digest()[:8])
