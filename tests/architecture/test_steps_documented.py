"""The list of steps that a reader sees first is the list of files, composed in that order."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from providers.engine import pipeline, steps

FILES = {path.stem for path in Path(steps.__file__).parent.glob("*.py")} - {"__init__"}


def _listed() -> list[str]:
    return re.findall(r"^    (\w+)", pipeline.__doc__ or "", re.MULTILINE)


def test_every_step_is_listed_where_readers_begin() -> None:
    assert set(_listed()) == FILES


def test_steps_are_composed_in_the_order_listed() -> None:
    source = inspect.getsource(pipeline.Engine.__post_init__)
    composed = source[source.index("call_steps") :].partition("]\n")[0].partition("[\n")[2]
    call_steps = re.findall(r"self\.(\w+?)(?:\.open)?,$", composed, re.MULTILINE)
    # The loop stands between two steps and is none; validation is looked up for each call.
    call_steps.remove("loop")
    attempt_steps = re.findall(
        r"(Structured|retry|budget|CredentialChoice|breakers|RateLimit)\b.*\.open", source
    )
    names = {"_validate": "validation"}
    assert [names.get(name, name) for name in call_steps] == _listed()[:7]
    assert _listed()[7:] == [
        "fallback",
        "structured",
        "retry",
        "budget",
        "credential",
        "breaker",
        "rate_limit",
        "dispatch",
    ]
    assert attempt_steps[:6] == [
        "Structured",
        "retry",
        "budget",
        "CredentialChoice",
        "breakers",
        "RateLimit",
    ]
