"""Responses answers, streamed or plain, become events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator

from providers.engine.adapters.openai_responses.answer import Answer
from providers.engine.adapters.openai_responses.errors import error_in
from providers.engine.call import Attempt
from providers.engine.errors import StreamCut, UpstreamGarbled
from providers.engine.events import Event
from providers.engine.json_fields import Fields, inner, objects, parsed, text
from providers.engine.routes import Deployment
from providers.engine.sse import SSEParser
from providers.engine.upstream import Incoming

# Servers that speak Chat Completions as well may end with it here too; it ends nothing.
_DONE = b"[DONE]"
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILURES = frozenset({"error", "response.failed"})


async def stream_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Raise StreamCut where the stream closes before the response is complete or incomplete.

    What comes before the first item, `response.created` and its like, is no content: an error may
    still follow it, and another deployment answer.
    """
    name = attempt.deployment.name
    parser = SSEParser()
    answer = Answer()
    async for chunk in incoming.body:
        for frame in parser.feed(chunk):
            if frame.data == _DONE:
                continue
            said = parsed(frame.data, name)
            kind = text(said, "type") or frame.name
            if kind in _FAILURES or (not kind and said.get("error")):
                raise error_in(attempt.deployment, said, incoming, secret)
            for event in (
                answer.end(inner(said, "response")) if kind in _ENDS else answer.take(said)
            ):
                yield event
            if kind in _ENDS:
                return
    raise StreamCut(f"{name} closed the stream before the end of its answer.")


async def plain_events(
    attempt: Attempt, incoming: Incoming, secret: str | None
) -> AsyncGenerator[Event, None]:
    """Read a whole response as a stream would have told it."""
    name = attempt.deployment.name
    response = parsed(await incoming.read(), name)
    if response.get("error"):
        raise error_in(attempt.deployment, response, incoming, secret)
    if response.get("status") not in {"completed", "incomplete"}:
        raise UpstreamGarbled(f"{name} sent an answer without an end.")
    answer = Answer()
    for index, item in enumerate(objects(response.get("output"))):
        for said in _as_streamed(index, item):
            for event in answer.take(said):
                yield event
    for event in answer.end(response):
        yield event


def models_in(deployment: Deployment, body: bytes) -> int:
    listed = parsed(body, deployment.name)
    if not isinstance(listed.get("data"), list):
        raise UpstreamGarbled(f"{deployment.name} did not answer with a list of models.")
    return len(objects(listed["data"]))


def _as_streamed(index: int, item: Fields) -> Iterator[Fields]:
    for place, part in enumerate(objects(item.get("content"))):
        where = {"output_index": index, "content_index": place}
        match part.get("type"):
            case "output_text":
                yield {"type": "response.output_text.delta", "delta": part.get("text"), **where}
                for note in objects(part.get("annotations")):
                    kind = "response.output_text.annotation.added"
                    yield {"type": kind, "annotation": note, **where}
            case "refusal":
                yield {"type": "response.refusal.delta", "delta": part.get("refusal"), **where}
            case _:
                continue
    yield {"type": "response.output_item.done", "output_index": index, "item": item}
