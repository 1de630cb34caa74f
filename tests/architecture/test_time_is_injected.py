"""The engine has no clock, no sleep and no luck of its own: whoever composes it gives them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "providers" / "engine"
FORBIDDEN = {
    "asyncio": {"sleep"},
    "time": {"*"},
    "random": {"*"},
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "secrets": {"*"},
    "uuid": {"uuid1", "uuid4"},
}
# With a seed it is no luck: the demo says the same words to the same prompt.
ALLOWED = {"random.Random"}


def own_time(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name):
                yield from _if_forbidden(module, name, node.lineno)
            case ast.ImportFrom(module=str(module), names=names):
                for each in names:
                    yield from _if_forbidden(module, each.name, node.lineno)
            case _:
                pass


def _if_forbidden(module: str, name: str, line: int) -> Iterator[str]:
    names = FORBIDDEN.get(module, set())
    if (name in names or "*" in names) and f"{module}.{name}" not in ALLOWED:
        yield f"{line}: {module}.{name}"


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import asyncio\nawait_ = asyncio.sleep(1)",
        "from time import monotonic",
        "from asyncio import sleep",
        "from datetime import datetime\ndatetime.now()",
        "import random\nrandom.random()",
    ],
)
def test_a_clock_of_its_own_would_be_found(source: str) -> None:
    assert list(own_time(source))


def test_the_engine_takes_time_sleep_and_luck_from_outside() -> None:
    files = list(ENGINE.rglob("*.py"))
    assert len(files) > 50
    found = [
        f"{file.relative_to(ENGINE)}:{at}" for file in files for at in own_time(file.read_text())
    ]
    assert found == []
