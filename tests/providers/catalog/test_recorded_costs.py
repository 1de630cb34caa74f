"""What recorded answers cost: by adapter, usage and price of ours, and by a table and arithmetic
of its own.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from providers.catalog.prices import published
from providers.engine.errors import EngineError
from providers.engine.events import Event, UsageReported
from providers.engine.usage import Usage
from tests.engine.adapters import recorded
from tests.engine.adapters.recorded.said import Counts, frames
from tests.engine.adapters.replay import ADAPTERS, RECORDINGS, Replay
from tests.fakes import a_request
from tests.providers.catalog.published import PUBLISHED, Rates, Used, cost_nano

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def exchanges() -> Iterator[Any]:
    """Find those that were answered by a model whose price was typed."""
    for path in sorted(RECORDINGS.glob("*/*.json")):
        recording = json.loads(path.read_text())
        model, address = asked(recording)
        known = PUBLISHED.get(address.hostname or "", {})
        if recording["response"]["status"] == 200 and model in known:
            yield pytest.param(path, known[model], id=f"{path.parent.name}-{path.stem[-6:]}")


def asked(recording: dict[str, Any]) -> tuple[str, Any]:
    address = urlsplit(recording["request"]["url"])
    body = json.loads(recording["request"]["body"] or "{}")
    named = address.path.partition("/models/")[2].partition(":")[0]
    return named or body.get("model", ""), address


EXCHANGES = list(exchanges())
if not EXCHANGES:
    pytest.skip(
        f"no recorded traffic at {RECORDINGS}; set GAIWEB_RECORDINGS", allow_module_level=True
    )


@pytest.mark.parametrize(("path", "rates"), EXCHANGES)
def test_an_exchange_costs_what_its_provider_publishes_to_the_nano_dollar(
    path: Path, rates: Rates
) -> None:
    recording = json.loads(path.read_text())
    used = used_by(recording, path.parent.name)
    usage = asyncio.run(usage_of(recording))
    if used is None or usage is None:
        assert (used, usage) == (None, None)
        return
    assert priced(recording, path.parent.name).cost_nano(usage) == cost_nano(rates, used)


def test_enough_is_compared_and_every_class_with_a_price_of_its_own_is_met() -> None:
    used = [
        found
        for path, _ in (each.values for each in EXCHANGES)
        if (found := used_by(json.loads(path.read_text()), path.parent.name)) is not None
    ]
    met = Counter({
        "cache read": sum(each.counts.cache_read > 0 for each in used),
        "cache write": sum(each.counts.cache_write > 0 for each in used),
        "reasoning": sum(each.counts.reasoning > 0 for each in used),
        "web search": sum(each.searches > 0 for each in used),
    })
    assert len(used) > 100
    assert min(met.values()) > 0, met


TIERED = [
    pytest.param(host, model, rates, id=model)
    for host, models in PUBLISHED.items()
    for model, rates in models.items()
    if rates.long is not None
]


@pytest.mark.parametrize(("host", "model", "rates"), TIERED)
@pytest.mark.parametrize("more", [0, 1])
def test_beyond_a_length_of_context_all_tokens_cost_what_the_tier_says(
    host: str, model: str, rates: Rates, more: int
) -> None:
    """No recording is that long, so its figures are made up."""
    assert rates.beyond is not None
    used = Used(Counts(rates.beyond + more, 12_345, 67_891, 3_333, 999), written_1h=1_111)
    usage = Usage(
        rates.beyond + more,
        12_345,
        cache_read_tokens=67_891,
        cache_write_tokens=3_333,
        reasoning_tokens=999,
        cache_write_1h_tokens=1_111,
    )
    price = published("", f"https://{host}/v1", model, NOON)
    assert price is not None
    assert price.cost_nano(usage) == cost_nano(rates, used)


def priced(recording: dict[str, Any], wire: str) -> Any:
    model, address = asked(recording)
    price = published(wire, f"https://{address.hostname}", model, NOON)
    assert price is not None, f"{model} of {address.hostname} has no price"
    return price


async def usage_of(recording: dict[str, Any]) -> Usage | None:
    """Hear it as the engine does; the last report counts."""
    response = recording["response"]
    if recording["wire"] not in ADAPTERS:
        return await _embedded(recording)
    replay = Replay(recording["wire"], [response["body"].encode()])
    events: list[Event] = []
    with suppress(EngineError):
        await replay.events(a_request(stream=recording["stream"]), into=events)
    reports = [event.usage for event in events if isinstance(event, UsageReported)]
    return reports[-1] if reports else None


async def _embedded(recording: dict[str, Any]) -> Usage | None:
    reader = import_module(f"{recorded.__name__}.embeddings")
    tokens = (await reader.heard(recording, None)).tokens
    return None if tokens is None else Usage(tokens, 0)


def used_by(recording: dict[str, Any], wire: str) -> Used | None:
    """Read the body a second way; None: it does not say."""
    said = import_module(f"{recorded.__name__}.{wire}").expected(recording)
    if wire == "embeddings":
        return None if said.tokens is None else Used(Counts(said.tokens, 0))
    if said.usage is None:
        return None
    body = recording["response"]["body"]
    pieces = frames(body) if recording["stream"] else [json.loads(body)]
    return Used(
        said.usage,
        written_1h=_most(pieces, "ephemeral_1h_input_tokens"),
        searches=_searches(pieces),
    )


def _searches(pieces: list[dict[str, Any]]) -> int:
    anthropics = _most(pieces, "web_search_requests")
    items = {
        item["id"]: item
        for item in _all(pieces, "type", "web_search_call")
        if (item.get("action") or {}).get("type", "search") == "search"
    }
    return anthropics or len(items)


def _most(found: Any, name: str) -> int:
    """Take the greatest figure of that name, wherever it lies: streams tell totals so far."""
    if isinstance(found, list):
        return max((_most(each, name) for each in found), default=0)
    if not isinstance(found, dict):
        return 0
    own = found.get(name)
    return max(own if isinstance(own, int) else 0, _most(list(found.values()), name))


def _all(found: Any, name: str, value: str) -> Iterator[dict[str, Any]]:
    if isinstance(found, list):
        for each in found:
            yield from _all(each, name, value)
    elif isinstance(found, dict):
        if found.get(name) == value and "id" in found:
            yield found
        yield from _all(list(found.values()), name, value)
