"""Real traffic, compared with what its body says, read a second and simpler way in `recorded/`."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest

from providers.engine.errors import EngineError
from providers.engine.events import Event, ToolCallDelta, ToolCalled
from tests.engine.adapters import recorded
from tests.engine.adapters.recorded.said import Said, told
from tests.engine.adapters.recorded.table import PROPERTY
from tests.engine.adapters.replay import ADAPTERS, RECORDINGS, Replay
from tests.fakes import a_request

if not RECORDINGS.is_dir():
    pytest.skip(
        f"no recorded traffic at {RECORDINGS}; set GAIWEB_RECORDINGS", allow_module_level=True
    )

READERS = {
    module.name: import_module(f"{recorded.__name__}.{module.name}")
    for module in iter_modules(recorded.__path__)
    if (RECORDINGS / module.name).is_dir()
}
PATHS = [path for wire in sorted(READERS) for path in sorted((RECORDINGS / wire).glob("*.json"))]
STREAMS = [path for path in PATHS if path.name.startswith("stream-200")]
SPLITS = 200
_KEPT_HEADERS = ("content-type", "x-request-id", "request-id", "retry-after")

Told = tuple[list[Event], EngineError | None]


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def every(paths: list[Path]) -> Callable[..., Any]:
    ids = [f"{path.parent.name}-{path.stem[-6:]}" for path in paths]
    return pytest.mark.parametrize("path", paths, ids=ids)


@pytest.fixture(autouse=True)
def _in_the_table(request: pytest.FixtureRequest, record_property: Callable[..., None]) -> None:
    if "path" in request.fixturenames:
        path: Path = request.getfixturevalue("path")
        record_property(PROPERTY, f"{path.parent.name}/{path.name}")


class Player:
    """One adapter for all ways in which a recording may arrive."""

    def __init__(self, recording: dict[str, Any]) -> None:
        response = recording["response"]
        headers = {k: v for k, v in response["headers"].items() if k.lower() in _KEPT_HEADERS}
        self.body: bytes = response["body"].encode()
        self._replay = Replay(recording["wire"], (), response["status"], headers)
        # One id for all: a call without one of its own is named after it.
        self._request = a_request(stream=recording["stream"])

    async def told(self, pieces: Sequence[bytes]) -> Told:
        self._replay.pieces = pieces
        events: list[Event] = []
        try:
            await self._replay.events(self._request, into=events)
        except EngineError as error:
            return events, error
        return events, None


async def heard(recording: dict[str, Any], pieces: Sequence[bytes] | None = None) -> Said:
    player = Player(recording)
    return told(*await player.told(pieces or [player.body]))


def with_ids_of(said: Said, expected: Said) -> Said:
    """Overlook our own ids for calls that came without any."""
    if len(said.calls) != len(expected.calls):
        return said
    pairs = zip(said.calls, expected.calls, strict=True)
    return replace(said, calls=tuple(c if e.id else c._replace(id="") for c, e in pairs))


@every(PATHS)
async def test_an_exchange_is_understood_as_its_body_says(path: Path) -> None:
    recording = read(path)
    reader = READERS[path.parent.name]
    expected = reader.expected(recording)
    if hasattr(reader, "heard"):
        assert await reader.heard(recording, None) == expected
        return
    said = await heard(recording)
    assert with_ids_of(said, expected) == expected


@every(STREAMS)
async def test_a_stream_gives_the_same_events_however_it_is_cut(path: Path) -> None:
    player = Player(read(path))
    body = player.body
    events, error = await player.told([body])
    chance = random.Random(path.name)
    ways = [[body[at : at + 1] for at in range(len(body))]]
    ways += [split(body, chance) for _ in range(SPLITS)]
    for pieces in ways:
        again, same_error = await player.told(pieces)
        assert again == events
        assert type(same_error) is type(error)


def split(body: bytes, chance: random.Random) -> list[bytes]:
    """Cut wherever it falls: within a line, a word or a letter; at one place or at thousands."""
    count = round(2 ** chance.uniform(0, math.log2(len(body) / 8)))
    cuts = sorted(chance.sample(range(1, len(body)), count))
    return [body[begin:end] for begin, end in pairwise([0, *cuts, len(body)])]


@every([path for path in PATHS if path.parent.name in ADAPTERS])
async def test_fragments_of_calls_join_to_the_whole_call_and_count_from_0(path: Path) -> None:
    player = Player(read(path))
    events, _ = await player.told([player.body])
    joined: dict[int, list[str | None]] = {}
    for event in events:
        if isinstance(event, ToolCallDelta):
            known = joined.setdefault(event.index, [event.id, event.name, ""])
            known[2] = (known[2] or "") + event.arguments
    calls = [event for event in events if isinstance(event, ToolCalled)]
    assert [call.index for call in calls] == list(range(len(calls))) == list(joined)
    for call in calls:
        id, name, arguments = joined[call.index]
        assert (id, name) == (call.call.id, call.call.name)
        assert (arguments or "{}") == (call.call.arguments or "{}")


def test_every_wire_has_a_reader() -> None:
    assert set(ADAPTERS) <= set(READERS)
    assert STREAMS
