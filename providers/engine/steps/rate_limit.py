"""Stay under a deployment's own limits: buckets in front of it, with a bounded wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

from providers.engine.call import Attempt, Stream
from providers.engine.errors import UpstreamThrottled
from providers.engine.needs import expected_tokens
from providers.engine.ports import Draw, Lease, Limiter, Now, Open, Sleep
from providers.engine.usage import Usage

_MINUTE_S = 60.0


@dataclass(slots=True)
class RateLimit:
    """Seconds. The numbers are the deployment's, read anew each time, so a change is live.

    Tokens are drawn as they are expected, and corrected when the provider has said how many there
    were.
    """

    limiter: Limiter
    now: Now
    sleep: Sleep
    longest_wait_s: float = 5.0

    def open(
        self, attempt: Attempt, open_next: Open[Attempt]
    ) -> AbstractAsyncContextManager[Stream]:
        deployment = attempt.deployment
        if deployment.requests_per_second is None and deployment.tokens_per_minute is None:
            return open_next(attempt)
        return self._open(attempt, open_next)

    @asynccontextmanager
    async def _open(self, attempt: Attempt, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        requests, tokens = _requests(attempt), _tokens(attempt)
        await self._take(attempt, [draw for draw in (requests, tokens) if draw is not None])
        stream: Stream | None = None
        try:
            async with open_next(attempt) as stream:
                yield stream
        finally:
            if tokens is not None and stream is not None and stream.record.usage is not None:
                self._correct(tokens, stream.record.usage)

    async def _take(self, attempt: Attempt, draws: list[Draw]) -> None:
        patience = min(self.longest_wait_s, attempt.deadline - self.now())
        taken = await self.limiter.take(draws, longest_wait_s=patience)
        if taken.short is not None:
            raise UpstreamThrottled(
                f"{attempt.deployment.name} is at our limit of {_words(taken.short)}.",
                retry_after_s=taken.wait_s,
            )
        if not taken.wait_s:
            return
        waited = False
        try:
            await self.sleep(taken.wait_s)
            waited = True
        finally:
            if not waited:
                self.limiter.put(draws)

    def _correct(self, tokens: Draw, usage: Usage) -> None:
        used = usage.input_tokens + usage.output_tokens
        self.limiter.put([replace(tokens, amount=tokens.amount - used)])


def _requests(attempt: Attempt) -> Draw | None:
    deployment = attempt.deployment
    rate = deployment.requests_per_second
    if rate is None:
        return None
    return Draw(f"deployment:{deployment.id}:requests", 1.0, rate, max(deployment.burst, 1))


def _tokens(attempt: Attempt) -> Draw | None:
    deployment = attempt.deployment
    most = deployment.tokens_per_minute
    if most is None:
        return None
    expected = expected_tokens(attempt.call.request, deployment.max_output_tokens)
    # A prompt larger than the limit passes alone, when the bucket is full.
    amount = min(expected, most)
    return Draw(f"deployment:{deployment.id}:tokens", amount, most / _MINUTE_S, most)


def _words(short: Draw | Lease) -> str:
    if isinstance(short, Draw) and short.key.endswith(":tokens"):
        return f"{short.burst:,.0f} tokens a minute"
    return f"{short.rate:g} requests a second" if isinstance(short, Draw) else "requests"
