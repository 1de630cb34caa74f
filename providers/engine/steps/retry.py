"""The same deployment again, where its error says that this may help; nobody else retries."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from providers.engine.call import Attempt, Stream
from providers.engine.errors import UpstreamError
from providers.engine.events import Notice, NoticeKind
from providers.engine.ports import Now, Open, Random, Sleep


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential with full jitter, in seconds; a wait that the server names wins over it."""

    now: Now
    sleep: Sleep
    random: Random
    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0

    @asynccontextmanager
    async def open(self, attempt: Attempt, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        async with AsyncExitStack() as stack:
            stream = await self._until_it_works(stack, attempt, open_next)
            yield stream

    async def _until_it_works(
        self, stack: AsyncExitStack, attempt: Attempt, open_next: Open[Attempt]
    ) -> Stream:
        tries = 0
        while True:
            tries += 1
            try:
                return await stack.enter_async_context(open_next(attempt))
            except UpstreamError as error:
                wait = self._wait_before(tries + 1, attempt, error)
                if wait is None:
                    raise
                attempt.call.notices.append(_notice(error, tries + 1))
            await self.sleep(wait)

    def _wait_before(self, number: int, attempt: Attempt, error: UpstreamError) -> float | None:
        """Seconds until try `number`; None: there is none."""
        if not error.retry_here or number > attempt.deployment.max_attempts:
            return None
        wait = error.retry_after_s
        if wait is None:
            # Bounded before it is computed: a large power would overflow.
            ceiling = self.first_wait_s * 2.0 ** min(number - 2, 16)
            wait = self.random() * min(ceiling, self.longest_wait_s)
        return wait if self.now() + wait < attempt.deadline else None


def _notice(error: UpstreamError, number: int) -> Notice:
    return Notice(NoticeKind.RETRY, f"{error.message} Try {number} follows.")
