"""What the engine itself costs: every step and every adapter, without network and database.

    .venv/bin/python -m benchmarks.engine [--runs 5] [--calls 200] [--kind openai_chat] [--profile]

Providers answer from memory, the ledger is a dictionary, nobody sleeps. A call passes all steps:
validation, filters, limits of the caller, budget, fallback, retry, breaker, the deployment's limit,
adapter. `--profile` adds where the time goes, by the time of each function itself.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import uvloop

from benchmarks.answers import PLAIN, STREAMS
from providers.engine.adapters.anthropic_messages import AnthropicMessagesAdapter
from providers.engine.adapters.demo import DemoAdapter
from providers.engine.adapters.gemini import GeminiAdapter
from providers.engine.adapters.ollama import OllamaAdapter
from providers.engine.adapters.openai_chat import OpenAIChatAdapter
from providers.engine.adapters.openai_responses import OpenAIResponsesAdapter
from providers.engine.pipeline import Engine
from providers.engine.ports import Adapter
from providers.engine.upstream import Upstream
from tests.fakes import CALLER, MemoryLedger, NoSecrets, Recorder, a_deployment, a_request, a_route

EVENTS = 200
_ADAPTERS: dict[str, Callable[[Upstream], Adapter]] = {
    "openai_chat": OpenAIChatAdapter,
    "anthropic_messages": AnthropicMessagesAdapter,
    "gemini": GeminiAdapter,
    "openai_responses": OpenAIResponsesAdapter,
    "ollama": OllamaAdapter,
}
KINDS = (*_ADAPTERS, "demo")


class _Body(httpx.AsyncByteStream):
    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


@dataclass
class _Memory(httpx.AsyncBaseTransport):
    """Answers every request with the same pieces."""

    pieces: Sequence[bytes]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:  # noqa: ARG002 - whatever it asks
        return httpx.Response(200, stream=_Body(self.pieces))


@dataclass
class Bench:
    """One engine over one adapter, and the prompt that is asked again and again."""

    engine: Engine
    deployment_kind: str
    stream: bool

    @classmethod
    def of(cls, kind: str, pieces: int | None) -> Bench:
        """Make one that streams so many pieces; None: that answers whole."""
        if kind == "demo":
            adapter: Adapter = DemoAdapter(_at_once, pause_s=0.0)
        else:
            answer = [json.dumps(PLAIN[kind]).encode()] if pieces is None else STREAMS[kind](pieces)
            adapter = _ADAPTERS[kind](Upstream(transport=_Memory(answer)))
        loop = asyncio.get_running_loop()
        engine = Engine(
            adapters={kind: adapter},
            ledger=MemoryLedger(limit_nano=10**15),
            secrets=NoSecrets(),
            observer=Recorder(),
            now=loop.time,
            sleep=_at_once,
            random=random.random,
            utcnow=lambda: datetime.now(UTC),
        )
        return cls(engine, kind, stream=pieces is not None)

    async def ask(self, times: int) -> int:
        """Ask so often, one after the other; answers how many events came."""
        events = 0
        deployment = a_deployment(kind=self.deployment_kind, model="demo")
        route = a_route(replace(deployment, requests_per_second=1e9, burst=10**9))
        for _ in range(times):
            request = a_request("Say some words, please.", stream=self.stream)
            async with self.engine.open(request, CALLER, route) as answer:
                async for _event in answer.events:
                    events += 1
        return events


@dataclass(frozen=True)
class Figures:
    """Microseconds of processor time, which depends least on who else is busy; of each run."""

    call: list[float]
    event: list[float]


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


async def measured(kind: str, runs: int, calls: int) -> Figures:
    """Take a plain call whole; of a streamed one, what each further event adds."""
    plain, short, long = Bench.of(kind, None), Bench.of(kind, 1), Bench.of(kind, EVENTS)
    figures = Figures([], [])
    for bench in (plain, short, long):
        await bench.ask(20)
    for _ in range(runs):
        figures.call.append(await _us_a_call(plain, calls))
        if kind == "demo":
            continue
        few, many = await _us_a_call(short, calls // 4), await _us_a_call(long, calls // 4)
        figures.event.append((many - few) / (EVENTS - 1))
    return figures


async def _us_a_call(bench: Bench, calls: int) -> float:
    began = time.process_time()
    await bench.ask(calls)
    return (time.process_time() - began) / calls * 1e6


def _spread(values: list[float], digits: int = 0) -> str:
    if not values:
        return "-"
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


async def table(kinds: Sequence[str], runs: int, calls: int) -> None:
    print("| adapter | plain call, us | each streamed event, us | events a second |")
    print("|---|---|---|---|")
    for kind in kinds:
        found = await measured(kind, runs, calls)
        rate = f"{1e6 / statistics.median(found.event):,.0f}" if found.event else "-"
        print(f"| {kind} | {_spread(found.call)} | {_spread(found.event, 1)} | {rate} |")


async def profiled(kind: str, calls: int) -> None:
    for title, pieces in (("plain calls", None), (f"streams of {EVENTS} events", EVENTS)):
        bench = Bench.of(kind, pieces)
        await bench.ask(20)
        times = calls if pieces is None else calls // 4
        print(f"\n{times} {title} of {kind}, by own time:")
        await _profile(bench.ask, times)


async def _profile(ask: Callable[[int], Awaitable[Any]], times: int) -> None:
    profile = cProfile.Profile()
    profile.enable()
    await ask(times)
    profile.disable()
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(15)


async def run(options: argparse.Namespace) -> None:
    kinds = [options.kind] if options.kind else KINDS
    await table(kinds, options.runs, options.calls)
    if options.profile:
        await profiled(options.kind or "openai_chat", options.calls)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="Plain calls a run.")
    parser.add_argument("--kind", choices=KINDS)
    parser.add_argument("--profile", action="store_true")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
