"""Every recorded stream, byte by byte and at 200 random splits (long ones at 50).

It takes seconds, so it is not in tests/engine.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from providers.engine.errors import UpstreamRejected
from tests.engine.adapters.test_recordings import STREAMS, cut, played, recorded, whole


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.name[-20:-5])
async def test_every_stream_survives_every_byte_and_random_splits(path: Path) -> None:
    recording = recorded(path)
    body = recording["response"]["body"].encode()
    places = random.Random(7)
    splits = [[bytes([byte]) for byte in body]]
    splits += [
        cut(body, places, places.randrange(1, 20)) for _ in range(200 if len(body) < 12_000 else 50)
    ]
    if "text-00a3d8" in path.name:
        # An error stands inside this one.
        for pieces in splits:
            with pytest.raises(UpstreamRejected):
                await played(recording, pieces)
        return
    events = await whole(recording)
    for pieces in splits:
        assert await played(recording, pieces) == events
