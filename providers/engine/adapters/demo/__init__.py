"""A provider that needs no key: seeded answers, and every fault that a real one has, on demand."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from providers.engine.adapters.demo import replies, words
from providers.engine.adapters.demo.faults import Fault, fault_of
from providers.engine.call import Attempt, Call, Reply, input_bytes, output_bound
from providers.engine.events import (
    Event,
    Finish,
    FinishReason,
    ReasoningDelta,
    TextDelta,
    ToolCallDelta,
    ToolCalled,
    UsageReported,
)
from providers.engine.ports import Sleep
from providers.engine.request import CompletionRequest, Reasoning, ToolCall
from providers.engine.routes import DEMO_MODELS, Deployment
from providers.engine.usage import BYTES_PER_TOKEN, Usage, tokens_of


@dataclass(frozen=True, slots=True)
class DemoAdapter:
    """The same prompt gets the same words: the seed is the request's, or made of its text.

    A token is four bytes, as everywhere where nobody counts. `pause_s` lies between two pieces.
    The option `faults` = `off` of a deployment makes the models that fail well again.
    """

    sleep: Sleep
    pause_s: float = 0.02
    kind: str = "demo"

    def input_overhead(self, call: Call) -> int:  # noqa: ARG002 - the port's; nothing is added here
        return 0

    @asynccontextmanager
    async def open(
        self,
        attempt: Attempt,
        secret: str | None,  # noqa: ARG002 - the port's; it needs no key
    ) -> AsyncGenerator[Reply]:
        deployment = attempt.deployment
        fault = fault_of(deployment)
        await self.sleep(fault.first_wait_s)
        if fault.refuses is not None:
            raise fault.refuses(deployment.name)
        yield Reply(events=self._events(attempt, fault))

    async def check(
        self,
        deployment: Deployment,  # noqa: ARG002 - the port's; its question has no model
        secret: str | None,  # noqa: ARG002 - the port's; it needs no key
    ) -> int:
        return len(DEMO_MODELS)

    async def _events(self, attempt: Attempt, fault: Fault) -> AsyncGenerator[Event, None]:
        request = attempt.call.request
        most = output_bound(request, attempt.deployment) * BYTES_PER_TOKEN
        plays = _play(request, attempt.deployment.model, most)
        for place, event in enumerate(plays):
            await self.sleep(self.pause_s + fault.longer_pause_s)
            if fault.breaks is not None and place == max(len(plays) // 2, 1):
                await self.sleep(attempt.deployment.idle_timeout_s if fault.silently else 0.0)
                raise fault.breaks(attempt.deployment.name)
            yield event
        output = sum(_size(event) for event in plays)
        yield UsageReported(
            Usage(
                input_tokens=tokens_of(input_bytes(request)),
                output_tokens=tokens_of(output),
                reasoning_tokens=tokens_of(sum(_thought(event) for event in plays)),
            )
        )
        yield Finish(_reason(plays, is_cut=output >= most))


def _play(request: CompletionRequest, model: str, most_bytes: int) -> list[Event]:
    """Choose what this model does with the request."""
    if model == "demo-tools":
        call = replies.next_call(request)
        if call is not None:
            return _called(call)
        return _told(request, replies.about_results(request), most_bytes)
    if model == "demo-json" or request.response_schema is not None:
        return _told(request, replies.json_answer(request), most_bytes)
    text = words.answer(request.messages, request.seed)
    thoughts = _thoughts(request) if model == "demo-reasoning" else []
    room = max(most_bytes - sum(_size(event) for event in thoughts), BYTES_PER_TOKEN)
    return [*thoughts, *_told(request, text, room)]


def _told(request: CompletionRequest, text: str, most_bytes: int) -> list[Event]:
    said = text.encode()[:most_bytes].decode(errors="ignore")
    return [TextDelta(piece) for piece in (words.pieces(said) if request.stream else [said])]


def _thoughts(request: CompletionRequest) -> list[Event]:
    text = words.THOUGHTS.format(topic=words.topic_of(words.last_question(request.messages)))
    found: list[Event] = [ReasoningDelta(piece) for piece in words.pieces(text)]
    return [*found, ReasoningDelta("", Reasoning(text, signature="demo", wire="demo"))]


def _called(call: ToolCall) -> list[Event]:
    first, second = call.arguments[:1], call.arguments[1:]
    return [
        ToolCallDelta(0, first, id=call.id, name=call.name),
        ToolCallDelta(0, second),
        ToolCalled(0, call),
    ]


def _reason(plays: list[Event], *, is_cut: bool) -> FinishReason:
    if any(isinstance(event, ToolCalled) for event in plays):
        return FinishReason.TOOL_CALLS
    return FinishReason.LENGTH if is_cut else FinishReason.STOP


def _size(event: Event) -> int:
    match event:
        case TextDelta(text) | ReasoningDelta(text):
            return len(text.encode())
        case ToolCallDelta(_, arguments):
            return len(arguments.encode())
        case _:
            return 0


def _thought(event: Event) -> int:
    return _size(event) if isinstance(event, ReasoningDelta) else 0
