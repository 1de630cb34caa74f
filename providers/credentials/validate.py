"""The live test of a provider's key: one free question, answered in words."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from providers.engine.errors import (
    CredentialRejected,
    QuotaExhausted,
    UpstreamError,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.ports import Adapter, Now
from providers.engine.routes import Deployment

WITHIN_S = 10.0

_WORDS: tuple[tuple[type[UpstreamError], str], ...] = (
    (CredentialRejected, "The provider refused the key. Check that it is whole and not revoked."),
    (QuotaExhausted, "The key is good, but its account has no credit left."),
    (UpstreamThrottled, "The provider limits this key's rate just now. Try again in a minute."),
    (UpstreamOverloaded, "The provider is overloaded just now. Try again in a minute."),
    (UpstreamTimeout, f"The provider did not answer within {WITHIN_S:.0f} seconds."),
    (
        UpstreamRejected,
        "The address answers, but not as this kind of provider. Check the base URL.",
    ),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """`code` empty: it works; else the error's. `models` None: it was not told how many."""

    ok: bool
    message: str
    latency_ms: int
    code: str = ""
    models: int | None = None


async def validate(
    adapter: Adapter, deployment: Deployment, secret: str | None, now: Now
) -> Checked:
    """Ask within ten seconds. Raises nothing of the engine's errors: they become words."""
    started = now()
    try:
        async with asyncio.timeout(WITHIN_S):
            models = await adapter.check(deployment, secret)
    except TimeoutError:
        return _failed(UpstreamTimeout(""), _ms(started, now))
    except UpstreamError as error:
        return _failed(error, _ms(started, now))
    plural = "" if models == 1 else "s"
    return Checked(
        ok=True,
        message=f"It works: {models} model{plural}.",
        latency_ms=_ms(started, now),
        models=models,
    )


def _failed(error: UpstreamError, latency_ms: int) -> Checked:
    words = next((words for fault, words in _WORDS if isinstance(error, fault)), None)
    return Checked(
        ok=False, message=words or _unreachable(error), latency_ms=latency_ms, code=error.code
    )


def _unreachable(error: UpstreamError) -> str:
    if isinstance(error, UpstreamUnavailable) and error.status is not None:
        return f"The provider answered with status {error.status}. Try again in a minute."
    if isinstance(error, UpstreamUnavailable):
        return f"{error.message} Check the base URL and the network.".strip()
    return error.message or "The provider was not reached. Check the base URL and the network."


def _ms(started: float, now: Now) -> int:
    return round((now() - started) * 1000)
