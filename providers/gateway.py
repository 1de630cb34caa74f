"""THE DOOR: whoever wants an answer opens it here, and nowhere else."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError
from structlog import get_logger

from providers import credentials, metrics, wiring
from providers.catalog import environment
from providers.catalog.presets import address_of
from providers.catalog.snapshot import RouteInfo
from providers.credentials import Checked
from providers.engine.call import Answer, Caller, Embedding, Source
from providers.engine.embedding import EmbeddingRequest
from providers.engine.errors import (
    InvalidRequest,
    LedgerUnavailable,
    UnknownModel,
    UpstreamError,
)
from providers.engine.policy import NONE as NO_POLICY
from providers.engine.policy import Policy
from providers.engine.ports import BreakerState
from providers.engine.request import CompletionRequest, Tool, ToolCall
from providers.engine.routes import Deployment, Route
from providers.engine.tools import Ran, Runner
from providers.health.live import Numbers
from providers.models import Provider
from providers.models import Tool as SavedTool
from providers.state.idempotency import Asked, Make, Reply
from providers.state.shared import Sharing
from providers.tools import letters

__all__ = [
    "Reply",
    "RouteInfo",
    "Sharing",
    "Worst",
    "answer_once",
    "breakers",
    "check_key",
    "check_saved",
    "embed",
    "follow_environment",
    "health_numbers",
    "open_answer",
    "policy_of",
    "post",
    "probe_all",
    "probe_one",
    "reconfigure",
    "route_names",
    "run",
    "sharing",
    "start",
    "stop",
    "stop_running",
    "tools_for",
    "try_tool",
    "verify",
    "worst_case",
]

T = TypeVar("T")
_TURN = 20


@dataclass(frozen=True, slots=True)
class Worst:
    """`nano`: nano-dollars, None: a model has no price. `refused` None: it can be asked."""

    nano: int | None
    refused: InvalidRequest | None = None


log = get_logger(__name__)


@asynccontextmanager
async def open_answer(request: CompletionRequest, caller: Caller) -> AsyncGenerator[Answer]:
    """Open an answer that has committed; leaving it settles. Raises EngineError.

    `request.hosted_tools` names tools of `tools_for(caller)`: what the model calls of them runs
    here, and it is asked again. Such an answer, or one whose request has `stop_when`, comes in
    steps: for each `Start`, its deltas, `ToolCalled`, a `ToolResulted` for each call, `StepEnded`;
    at the end one `UsageReported` of all steps and `Finish`, whose `stopped_by` is to be shown.
    A call of a tool in `request.tools` ends it: run it, put the assistant's parts, its results
    and `StepEnded.results` into the messages, and ask again.
    """
    wired = await wiring.here()
    route = _route(wired, request.route, caller)
    tools = wired.tools.allowed_to(caller)
    metrics.active.inc()
    try:
        with wired.tracing.following(request, caller) if wired.tracing else nullcontext():
            async with wired.open_calls, wired.engine.open(request, caller, route, tools) as answer:
                yield answer
    finally:
        metrics.active.dec()


async def answer_once(
    request: CompletionRequest | EmbeddingRequest, caller: Caller, said: bytes, make: Make
) -> Reply:
    """Let `make` answer; under the request's idempotency key once only, for a day.

    `said` is the request as it came: with the same key it must be the same. Without a key `make`
    answers each time. Raises EngineError.
    """
    if request.idempotency_key is None:
        return await make()
    asked = Asked(caller, request.idempotency_key, said, request.id)
    return await (await wiring.here()).replies.answer(asked, make)


async def embed(request: EmbeddingRequest, caller: Caller) -> Embedding:
    """Turn texts into vectors, batched with whoever asks at this moment. Raises EngineError."""
    wired = await wiring.here()
    route = _route(wired, request.route, caller)
    metrics.active.inc()
    try:
        async with wired.open_calls:
            return await wired.engine.embed(request, caller, route)
    finally:
        metrics.active.dec()


async def worst_case(requests: Sequence[CompletionRequest], caller: Caller) -> list[Worst]:
    """Say for each, in order, what one answer may cost at most, or why nobody could answer it.

    Nothing is asked or held. Raises UnknownModel, LedgerUnavailable.
    """
    wired = await wiring.here()
    found: list[Worst] = []
    for number, request in enumerate(requests, 1):
        route = _route(wired, request.route, caller)
        try:
            found.append(Worst(wired.engine.worst_case(request, caller, route)))
        except InvalidRequest as refused:
            found.append(Worst(None, refused))
        if number % _TURN == 0:
            # Others share the loop, and this may be thousands.
            await asyncio.sleep(0)
    return found


async def route_names(caller: Caller) -> list[RouteInfo]:
    """Routes that this caller may use, by name."""
    wired = await wiring.here()
    return [info for info in wired.catalog.infos if _may_use(caller, info.name)]


async def tools_for(caller: Caller) -> list[Tool]:
    """List the hosted tools that this caller may name in `hosted_tools`, by name."""
    allowed = (await wiring.here()).tools.allowed_to(caller)
    return [allowed[name].tool for name in sorted(allowed)]


async def try_tool(row: SavedTool, arguments: str) -> Ran:
    """Run a saved tool once with JSON `arguments`, as a model would call it."""
    wired = await wiring.here()
    tool = wired.tools.made_of(row)
    runner = Runner(wired.engine.now)
    return await runner.run(ToolCall("test", tool.name, arguments), {tool.name: tool})


async def verify(secret: str) -> Caller:
    """Whose virtual key this is. Raises InvalidKey, LedgerUnavailable."""
    return await (await wiring.here()).verifier.verify(secret)


def breakers() -> list[BreakerState]:
    """Show the board, empty before the first prompt; without Redis it is this process's own."""
    return [state for wired in wiring.all_here() for state in wired.engine.breakers.snapshot()]


def policy_of(team_id: int | None) -> Policy:
    """Give what a team wants otherwise, as this process knows it."""
    return next((wired.policy_of(team_id) for wired in wiring.all_here()), NO_POLICY)


def health_numbers() -> Numbers:
    """Give limits, caps and weights of health and its levels, as they are configured now."""
    return wiring.numbers()


def sharing() -> Sharing:
    """Tell whether breakers and limits are counted for all processes, or by each for itself."""
    if settings.GAIWEB.redis_url is None:
        return Sharing.ALONE
    states = {wired.shared.sharing for wired in wiring.all_here() if wired.shared is not None}
    return Sharing.AWAY if Sharing.AWAY in states else Sharing.SHARED


async def check_key(provider: Provider, secret: str | None) -> Checked:
    """Test a key live and free, within ten seconds, before it is saved. Raises nothing of ours.

    `provider` may be unsaved: its kind, base URL and locality are what counts.
    """
    wired = await wiring.here()
    adapter = wired.adapters[provider.kind]
    return await credentials.validate(adapter, _nameless(provider), secret, wired.engine.now)


async def check_saved(provider: Provider) -> Checked:
    """Test a saved provider with the key that is stored, as prompts would use it."""
    return await _probe(await wiring.here(), _nameless(provider))


async def probe_all() -> dict[int, Checked]:
    """Ask every provider in use its free question; answers by deployment id."""
    wired = await wiring.here()
    deployments = wired.catalog.deployments
    first = {each.provider: each for each in deployments.values()}
    found = await asyncio.gather(*(_probe(wired, each) for each in first.values()))
    by_provider = dict(zip(first, found, strict=True))
    return {pk: by_provider[each.provider] for pk, each in deployments.items()}


async def probe_one(deployment_id: int) -> Checked | None:
    """Ask the provider of one deployment its free question; None: it is not in use."""
    wired = await wiring.here()
    deployment = wired.catalog.deployments.get(deployment_id)
    return None if deployment is None else await _probe(wired, deployment)


async def post(url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Tell a program of ours something over HTTPS, guarded as tools are. Raises EngineError."""
    await letters.post((await wiring.here()).upstream, url, headers, body)


def run(work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
    """Run `work` in the engine's own loop, for a worker that has none."""
    return wiring.run(work, timeout_s)


def stop_running() -> None:
    """End what `run` began; for the end of a worker."""
    wiring.stop_own_loop()


async def start() -> None:
    """Follow the environment, connect and watch; a database that is away is tried on demand."""
    try:
        await asyncio.to_thread(follow_environment)
        await wiring.watch_here()
    except (DatabaseError, LedgerUnavailable) as fault:
        log.warning("gateway_waits_for_database", fault=type(fault).__name__)
    _settle_heap()


def follow_environment() -> None:
    """Let the catalog follow the configuration's providers. Sync. Raises DatabaseError."""
    wiring.closing(environment.sync)


def reconfigure() -> None:
    """Let the engines of this process follow the configuration; from a thread without a loop.

    Raises DatabaseError, TimeoutError: then it is to be called again.
    """
    wiring.reconfigure()


def _settle_heap() -> None:
    """Spare the collector what lives as long as the process: a tenth of a request's time and more.

    An answer makes and drops thousands of objects, nearly all of them by reference count.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def stop() -> None:
    """Settle what is open and close everything of this loop."""
    await wiring.close()


def _nameless(provider: Provider) -> Deployment:
    """No model of it in particular."""
    return Deployment(
        id=0,
        provider=provider.name,
        kind=provider.kind,
        model="",
        base_url=address_of(provider),
        is_local=provider.is_local,
    )


async def _probe(wired: wiring.Wired, deployment: Deployment) -> Checked:
    try:
        picked = wired.secrets.pick(deployment, Caller(Source.PROBE))
        secret = await wired.secrets.open(deployment, picked)
    except UpstreamError as error:
        return Checked(ok=False, message=error.message, latency_ms=0, code=error.code)
    adapter = wired.adapters[deployment.kind]
    return await credentials.validate(adapter, deployment, secret, wired.engine.now)


def _route(wired: wiring.Wired, name: str, caller: Caller) -> Route:
    route = wired.catalog.routes.get(name)
    if route is None or not _may_use(caller, name):
        raise UnknownModel(
            f"There is no model {name[:120]!r} here, or this key may not use it. "
            "GET /v1/models lists what there is."
        )
    return route


def _may_use(caller: Caller, route: str) -> bool:
    return not caller.routes or route in caller.routes
