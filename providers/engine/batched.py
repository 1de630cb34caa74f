"""Embeddings as an adapter of the pipeline: an attempt joins a batch, its share is the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.engine.batches import Batcher, Lane, Share
from providers.engine.call import Attempt, Call, Reply
from providers.engine.embedding import EmbeddingRequest
from providers.engine.errors import UpstreamMisconfigured
from providers.engine.events import Embedded, Event, Finish, FinishReason, UsageReported
from providers.engine.ports import EmbeddingAdapter
from providers.engine.request import CompletionRequest, Message, Role, Text
from providers.engine.usage import total


def as_prompt(request: EmbeddingRequest) -> CompletionRequest:
    """Each text is a part, so that limits, filters and budgets see them; there is no output."""
    parts = tuple(Text(text) for text in request.inputs)
    message = Message(Role.USER, parts)
    return CompletionRequest(
        request.id, request.route, (message,), max_output_tokens=0, stream=False
    )


@dataclass(frozen=True, slots=True)
class BatchedEmbeddings:
    """`adapter` None: this wire has no embeddings, so another deployment is asked."""

    kind: str
    adapter: EmbeddingAdapter | None
    batcher: Batcher

    def input_overhead(self, call: Call) -> int:  # noqa: ARG002 - the port's; texts go as they are
        return 0

    @asynccontextmanager
    async def open(self, attempt: Attempt, secret: str | None) -> AsyncGenerator[Reply]:
        call, deployment = attempt.call, attempt.deployment
        if self.adapter is None:
            raise UpstreamMisconfigured(f"{deployment.name} makes no embeddings.")
        lane = Lane(
            team_id=call.caller.team_id,
            secret=secret,
            deployment=deployment,
            deployment_id=deployment.id,
            dimensions=call.dimensions,
            adapter=self.adapter,
        )
        # What the filters left of the texts.
        texts = [part.text for part in call.request.messages[0].parts if isinstance(part, Text)]
        shares = await self.batcher.join(lane, texts)
        reply = shares[0].reply
        yield Reply(_events(shares), reply.http_status, reply.upstream_request_id)


async def _events(shares: list[Share]) -> AsyncGenerator[Event, None]:
    costs = [share.cost_nano for share in shares if share.cost_nano is not None]
    yield Embedded(tuple(vector for share in shares for vector in share.vectors))
    usage = total(share.usage for share in shares)
    if usage is not None:
        yield UsageReported(usage, sum(costs) if len(costs) == len(shares) else None)
    yield Finish(FinishReason.STOP)
