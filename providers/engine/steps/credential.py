"""Whose key an attempt goes out with; where it is refused, another of the same holder, once."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from providers.engine.call import Attempt, Stream
from providers.engine.errors import CredentialRejected
from providers.engine.events import Notice, NoticeKind
from providers.engine.ports import Open, Secrets


@dataclass(frozen=True, slots=True)
class CredentialChoice:
    """It stands above the breaker, so that each key has a circuit of its own.

    A refused key was not billed: the second try needs no more money held than the first.
    """

    secrets: Secrets

    @asynccontextmanager
    async def open(self, attempt: Attempt, open_next: Open[Attempt]) -> AsyncGenerator[Stream]:
        async with AsyncExitStack() as stack:
            stream = await self._first_that_is_taken(stack, attempt, open_next)
            yield stream

    async def _first_that_is_taken(
        self, stack: AsyncExitStack, attempt: Attempt, open_next: Open[Attempt]
    ) -> Stream:
        call = attempt.call
        first = self.secrets.pick(attempt.deployment, call.caller)
        try:
            return await self._with(first, stack, attempt, open_next)
        except CredentialRejected as error:
            second = self.secrets.pick(attempt.deployment, call.caller)
            if second == first:
                raise
            call.notices.append(Notice(NoticeKind.RETRY, f"{error.message} Trying another key."))
        return await self._with(second, stack, attempt, open_next)

    async def _with(
        self, credential: str, stack: AsyncExitStack, attempt: Attempt, open_next: Open[Attempt]
    ) -> Stream:
        try:
            opening = open_next(replace(attempt, credential=credential))
            stream = await stack.enter_async_context(opening)
        except CredentialRejected:
            self.secrets.report(credential, is_taken=False)
            raise
        self.secrets.report(credential, is_taken=True)
        return stream
