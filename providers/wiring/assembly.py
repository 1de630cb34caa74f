"""Configuration, stores and adapters put together into what one loop uses."""

from __future__ import annotations

import asyncio
import random
import time

from django.conf import settings
from django.utils import timezone
from opentelemetry import trace

from providers.catalog import environment
from providers.credentials import ring
from providers.credentials.opened import OpenedSecrets
from providers.credentials.uses import CredentialUses
from providers.engine.adapters.anthropic_messages import AnthropicMessagesAdapter
from providers.engine.adapters.demo import DemoAdapter
from providers.engine.adapters.demo.embeddings import DemoEmbeddings
from providers.engine.adapters.gemini import GeminiAdapter
from providers.engine.adapters.gemini.embeddings import GeminiEmbeddings
from providers.engine.adapters.ollama import OllamaAdapter
from providers.engine.adapters.ollama.embeddings import OllamaEmbeddings
from providers.engine.adapters.openai_chat import OpenAIChatAdapter
from providers.engine.adapters.openai_chat.embeddings import OpenAIEmbeddings
from providers.engine.adapters.openai_responses import OpenAIResponsesAdapter
from providers.engine.pipeline import Engine
from providers.engine.ports import Adapter, Observer
from providers.engine.upstream import Upstream
from providers.ledger import pool as ledger_pool
from providers.ledger.postgres import PostgresLedger
from providers.metrics import MeasuredLedger, Metrics
from providers.observers import CallLog, Observers
from providers.state.answers import Answers
from providers.state.idempotency import Replies
from providers.state.local_answers import LocalAnswers
from providers.state.postgres_answers import PostgresAnswers
from providers.state.redis_answers import RedisAnswers
from providers.state.sealed_answers import Sealer
from providers.state.shared import Shared
from providers.tools.snapshot import Means
from providers.tools.toolbox import Toolbox
from providers.tracing import Tracing, headers_here
from providers.virtual_keys import KeyVerifier
from providers.virtual_keys.rows import KeyRows, LastUsed, Pool
from providers.virtual_keys.secret import pepper
from providers.wiring import numbers
from providers.wiring.database import conninfo
from providers.wiring.wired import Wired


async def assemble(loop: asyncio.AbstractEventLoop) -> Wired:
    tracing = _tracing()
    upstream = Upstream(local_headers=headers_here if tracing is not None else dict)
    adapters: dict[str, Adapter] = {
        adapter.kind: adapter
        for adapter in (
            DemoAdapter(asyncio.sleep),
            OpenAIChatAdapter(upstream),
            AnthropicMessagesAdapter(upstream),
            GeminiAdapter(upstream),
            OpenAIResponsesAdapter(upstream),
            OllamaAdapter(upstream),
        )
    }
    pool = await ledger_pool.connect(conninfo(), most=4)
    sealer = Sealer(_ring_key(), settings.GAIWEB.cache.compression_level)
    answers = _answers(pool, sealer)
    ledger = PostgresLedger(await ledger_pool.connect(conninfo()))
    shared = _shared(loop)
    hurry = asyncio.Event()
    uses = CredentialUses(pool, timezone.now, hurry.set)
    secrets = OpenedSecrets(
        ring=ring.load,
        environment=environment.secrets(),
        now=loop.time,
        utcnow=timezone.now,
        random=random.random,  # noqa: S311 - a share of the traffic, not a secret
        noted=uses.note,
    )
    engine = Engine(
        adapters=adapters,
        ledger=MeasuredLedger(ledger, loop.time),
        secrets=secrets,
        observer=_observers(tracing),
        now=loop.time,
        sleep=asyncio.sleep,
        random=random.random,  # noqa: S311 - jitter, not a secret
        utcnow=timezone.now,
        validation=numbers.validation(),
        breaker_limits=numbers.breaker_limits(),
        retry_limits=numbers.retry_limits(),
        quotas=numbers.quotas(),
        circuits=shared.circuits if shared else None,
        limiter=shared.limiter if shared else None,
        most_steps=numbers.most_steps(),
        phone_regions=settings.GAIWEB.pii_phone_regions,
        embedding_adapters={
            adapter.kind: adapter
            for adapter in (
                DemoEmbeddings(asyncio.sleep),
                OpenAIEmbeddings(upstream),
                GeminiEmbeddings(upstream),
                OllamaEmbeddings(upstream),
            )
        },
        batch_limits=numbers.batch_limits(),
        cache_tiers=answers.tiers,
        cache_secret=sealer.secret,
        cache_limits=numbers.cache_limits(),
    )
    rows = KeyRows(pool)
    last_used = LastUsed(rows, time.time)
    verifier = KeyVerifier(
        find=rows.find, used=last_used.note, pepper=pepper(), now=loop.time, epoch=time.time
    )
    wired = Wired(
        engine=engine,
        adapters=adapters,
        upstream=upstream,
        ledger=ledger,
        secrets=secrets,
        verifier=verifier,
        last_used=last_used,
        uses=uses,
        hurry=hurry,
        pool=pool,
        answers=answers,
        replies=Replies(pool=pool, sealer=sealer, utcnow=timezone.now),
        shared=shared,
        tracing=tracing,
        tools=Toolbox(Means(upstream, pool)),
    )
    engine.filters.policies = engine.cache.policies = wired.policy_of
    engine.hang_up.policies = wired.policy_of
    engine.budget.find_route = wired.route_named
    return wired


def _answers(pool: Pool, sealer: Sealer) -> Answers:
    cache, url = settings.GAIWEB.cache, settings.GAIWEB.redis_url
    local = LocalAnswers(timezone.now, cache.local_bytes, cache.stale_ttl_s)
    far = RedisAnswers(url, sealer, cache.stale_ttl_s) if url else PostgresAnswers(pool, sealer)
    return Answers(local if cache.local else None, far if cache.shared else None)


def _ring_key() -> bytes:
    keys = ring.load()
    return keys.key(keys.current)


def _tracing() -> Tracing | None:
    """None where traces go nowhere: then no span is made at all."""
    if settings.GAIWEB.tracing.exporter_otlp_endpoint is None:
        return None
    return Tracing(
        trace.get_tracer("gaiweb"), timezone.now, frozenset(settings.GAIWEB.traced_providers)
    )


def _observers(tracing: Tracing | None) -> Observers:
    each: list[Observer] = [Metrics(), CallLog()]
    if tracing is not None:
        each.append(tracing)
    return Observers(tuple(each))


def _shared(loop: asyncio.AbstractEventLoop) -> Shared | None:
    url = settings.GAIWEB.redis_url
    if url is None:
        return None
    return Shared.over(url, loop.time, timezone.now, random.random)  # noqa: S311 - jitter
