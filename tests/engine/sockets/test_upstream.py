"""The client against a server that misbehaves: connections, timeouts, addresses."""

from __future__ import annotations

import asyncio
import socket
import time
from itertools import pairwise
from typing import Any

import pytest
from aiohttp.abc import AbstractResolver

from providers.engine.call import AttemptStatus
from providers.engine.errors import (
    CredentialRejected,
    EngineError,
    QuotaExhausted,
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.events import Finish, TextDelta
from providers.engine.pipeline import Engine
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream
from providers.engine.usage import Usage
from tests.fakes import CALLER, MemoryLedger, a_deployment, a_request, a_route
from tests.upstream import TEXT, FakeUpstream


def at(fake: FakeUpstream, word: str, **fields: Any) -> Deployment:
    return a_deployment(kind="openai_chat", model=word, base_url=fake.openai_url, **fields)


async def text_of(engine: Engine, deployment: Deployment, *, stream: bool = True) -> str:
    async with engine.open(a_request(stream=stream), CALLER, a_route(deployment)) as answer:
        events = [event async for event in answer.events]
    assert isinstance(events[-1], Finish)
    return "".join(event.text for event in events if isinstance(event, TextDelta))


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_comes_whole_streamed_or_plain(
    real_engine: Engine, fake: FakeUpstream, stream: bool
) -> None:
    assert await text_of(real_engine, at(fake, "ok"), stream=stream) == TEXT


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("401", CredentialRejected),
        ("404", UpstreamMisconfigured),
        ("429", UpstreamThrottled),
        ("quota", QuotaExhausted),
        ("503", UpstreamUnavailable),
        ("529", UpstreamOverloaded),
        ("redirect", UpstreamMisconfigured),
        ("cut", StreamCut),
        ("end", StreamCut),
        ("garbled", UpstreamGarbled),
        ("huge", UpstreamGarbled),
        ("error", UpstreamUnavailable),
        ("early-error", UpstreamUnavailable),
    ],
)
async def test_each_fault_has_its_error(
    real_engine: Engine, fake: FakeUpstream, word: str, kind: type[EngineError]
) -> None:
    with pytest.raises(EngineError) as caught:
        await text_of(real_engine, at(fake, word))
    assert type(caught.value) is kind


async def test_a_refusal_carries_the_servers_wait_and_its_request_id(
    real_engine: Engine, fake: FakeUpstream
) -> None:
    fake.retry_after = "7"
    with pytest.raises(UpstreamThrottled) as caught:
        await text_of(real_engine, at(fake, "429"))
    assert caught.value.retry_after_s == 7
    assert caught.value.upstream_request_id == "req_fake"
    fake.retry_after = "1"


async def test_nobody_there_is_unavailable(real_engine: Engine) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(UpstreamUnavailable):
            await text_of(real_engine, a_deployment(kind="openai_chat", base_url=url))


async def test_silence_before_the_answer_times_out(real_engine: Engine, fake: FakeUpstream) -> None:
    with pytest.raises(UpstreamTimeout):
        await text_of(real_engine, at(fake, "silent", first_token_timeout_s=0.02))


async def test_silence_in_the_middle_times_out(real_engine: Engine, fake: FakeUpstream) -> None:
    with pytest.raises(UpstreamTimeout):
        await text_of(real_engine, at(fake, "stall", idle_timeout_s=0.02))


async def test_a_caller_who_leaves_closes_the_upstream_and_pays_for_what_streamed(
    real_engine: Engine, fake: FakeUpstream, ledger: MemoryLedger
) -> None:
    async with real_engine.open(a_request(), CALLER, a_route(at(fake, "stall"))) as answer:
        async for event in answer.events:
            if isinstance(event, TextDelta):
                break
    await asyncio.to_thread(fake.wait_until, open_now=0, left_early=1)
    (record,) = answer.call.attempts
    assert record.status is AttemptStatus.CANCELLED
    assert record.usage is not None
    assert record.usage.estimated
    assert ledger.spent_nano == record.cost_nano


async def test_with_the_first_at_503_the_second_answers_and_both_have_records(
    real_engine: Engine, fake: FakeUpstream
) -> None:
    route = a_route(at(fake, "503"), at(fake, "ok", id=2))
    async with real_engine.open(a_request(), CALLER, route) as answer:
        events = [event async for event in answer.events]
    assert answer.is_fallback
    assert isinstance(events[-1], Finish)
    assert [record.http_status for record in answer.call.attempts] == [503, 200]
    assert answer.call.usage == Usage(10, 9)


async def test_a_piece_is_not_held_back_for_the_next(
    real_engine: Engine, fake: FakeUpstream
) -> None:
    fake.pause_s = 0.01
    async with real_engine.open(a_request(), CALLER, a_route(at(fake, "ok"))) as answer:
        arrivals = [time.monotonic() async for event in answer.events]
    gaps = [after - before for before, after in pairwise(arrivals)]
    # Nagle's delay would be 40 ms.
    assert sorted(gaps)[len(gaps) // 2] < 0.03


@pytest.mark.parametrize(
    "base_url",
    [
        "http://127.0.0.1:1",
        "http://[::1]:1",
        "http://[::ffff:127.0.0.1]:1",
        "http://169.254.169.254",
        "http://10.0.0.1",
        "http://192.168.1.1",
        "http://100.64.0.1",
        "http://0.0.0.0:1",
        "http://[fd00::1]",
        "http://localhost:1",
        "http://user:pass@example.com",
        "file:///etc/passwd",
    ],
)
async def test_only_an_owner_lets_a_base_url_lead_inside(upstream: Upstream, base_url: str) -> None:
    deployment = a_deployment(base_url=base_url, is_local=False)
    with pytest.raises(UpstreamMisconfigured):
        await upstream.fetch(Outgoing(deployment, "/models", {}))


class _Says(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        return [
            {"hostname": host, "host": a, "port": port, "family": 2, "proto": 6, "flags": 0}
            for a in self.addresses
        ]

    async def close(self) -> None: ...


async def test_a_public_name_that_resolves_inside_is_refused() -> None:
    upstream = Upstream(environ={}, resolver=_Says("93.184.216.34", "127.0.0.1"))
    deployment = a_deployment(base_url="http://rebinding.example", is_local=False)
    with pytest.raises(UpstreamMisconfigured):
        await upstream.fetch(Outgoing(deployment, "/models", {}))
    await upstream.aclose()


async def test_a_name_is_resolved_once_and_its_address_is_the_one_connected_to(
    fake: FakeUpstream,
) -> None:
    upstream = Upstream(environ={}, resolver=_Says("127.0.0.1"))
    base_url = f"http://provider.invalid:{fake.port}/v1"
    incoming, _ = await upstream.fetch(Outgoing(a_deployment(base_url=base_url), "/models", {}))
    assert incoming.status == 200
    await upstream.aclose()


async def test_the_proxy_of_the_environment_is_asked_unless_the_host_is_exempt(
    fake: FakeUpstream,
) -> None:
    proxy = {"HTTP_PROXY": f"http://127.0.0.1:{fake.port}", "no_proxy": "exempt.invalid"}
    upstream = Upstream(environ=proxy)
    through = a_deployment(base_url="http://provider.invalid/v1", is_local=False)
    incoming, _ = await upstream.fetch(Outgoing(through, "/models", {}))
    assert incoming.status == 200
    past = a_deployment(base_url="http://exempt.invalid/v1", is_local=False)
    with pytest.raises(UpstreamError):
        await upstream.fetch(Outgoing(past, "/models", {}))
    await upstream.aclose()


async def test_a_key_that_the_provider_refuses_fails_its_check(
    upstream: Upstream, fake: FakeUpstream
) -> None:
    from providers.engine.adapters.openai_chat import OpenAIChatAdapter

    adapter = OpenAIChatAdapter(upstream)
    assert await adapter.check(at(fake, "ok"), "sk-right") == 3
    with pytest.raises(CredentialRejected):
        await adapter.check(at(fake, "ok"), "sk-wrong")
