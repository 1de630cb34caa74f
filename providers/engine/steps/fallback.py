"""From a call to attempts: the route's deployments in order, while errors say that helps."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from providers.engine.call import Attempt, Call, Stream
from providers.engine.errors import NoDeploymentAvailable, UpstreamError
from providers.engine.events import Notice, NoticeKind
from providers.engine.ports import Now, Open


@dataclass(frozen=True, slots=True)
class Fallback:
    now: Now

    @asynccontextmanager
    async def open(self, call: Call, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        async with AsyncExitStack() as stack:
            stream = await self._first_that_works(stack, call, open_next)
            yield stream

    async def _first_that_works(
        self, stack: AsyncExitStack, call: Call, open_next: Open[Attempt]
    ) -> Stream:
        failures: list[tuple[str, UpstreamError]] = []
        deployments = call.route.deployments
        for place, deployment in enumerate(deployments):
            remaining = deployments[place + 1 :]
            attempt = Attempt(call, deployment, self._slice(call, len(remaining) + 1))
            try:
                return await stack.enter_async_context(open_next(attempt))
            except UpstreamError as error:
                if not error.try_next:
                    raise
                failures.append((deployment.name, error))
            if remaining:
                call.notices.append(_notice(failures[-1][1], remaining[0].name))
        raise _all_failed(call, failures)

    def _slice(self, call: Call, shares: int) -> float:
        """Give a slow deployment its share of the time, never that of the next."""
        now = self.now()
        return now + max(call.deadline - now, 0.0) / shares


def _notice(error: UpstreamError, following: str) -> Notice:
    return Notice(NoticeKind.FALLBACK, f"{error.message} Trying {following}.")


def _all_failed(
    call: Call, failures: list[tuple[str, UpstreamError]]
) -> UpstreamError | NoDeploymentAvailable:
    if len(failures) == 1:
        return failures[0][1]
    causes = " ".join(error.message for _, error in failures)
    return NoDeploymentAvailable(
        f"No deployment of {call.route.name} could answer. {causes}", failures=failures
    )
