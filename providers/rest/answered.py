"""A whole answer as `POST /api/v1/answers` gives it in JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from ninja import Schema
from pydantic import Field

from providers.engine.call import Answer, AttemptRecord
from providers.engine.events import (
    Citations,
    Event,
    Finish,
    Notice,
    ReasoningDelta,
    Safety,
    StepEnded,
    TextDelta,
    ToolCalled,
    ToolResulted,
)
from providers.engine.request import Part, Refusal, Text
from providers.engine.usage import Usage
from providers.rest import parts
from providers.rest.schemas import Usd, usd


class UsageTokensOut(Schema):
    """Inclusive buckets: cache and heard audio are part of input; reasoning, speech of output."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int = Field(description="of all writes, also those for an hour")
    cache_write_1h_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    server_tool_calls: int = Field(description="of tools that ran at the provider's")
    web_searches: int = Field(description="those of them that are billed one by one")
    estimated: bool = Field(description="we counted some of it: the provider did not say")
    estimated_figures: list[str] = Field(description="what we counted; empty and estimated: all")


class ToolCallOut(Schema):
    id: str
    name: str
    arguments: str


class ToolResultOut(Schema):
    call_id: str
    name: str
    content: str
    is_error: bool


class StepOut(Schema):
    number: int
    text: str
    tool_calls: list[ToolCallOut]
    tool_results: list[ToolResultOut]
    usage: UsageTokensOut | None
    cost_usd: Usd | None
    duration_ms: int
    finish_reason: str


class AttemptOut(Schema):
    """One try at one deployment; `error_code` empty: it went well."""

    number: int
    deployment: str
    status: str
    error_code: str
    ttft_ms: int | None
    duration_ms: int | None
    cost_usd: Usd | None


class NoticeOut(Schema):
    kind: str = Field(description="retry, fallback, degraded, cached, clamped, structured")
    message: str


class AnswerOut(Schema):
    """`text` is the last step's; `parts` is all of it, for the messages of a next question."""

    id: str
    model: str
    provider: str = Field(description="of the deployment that answered last")
    deployment: str
    text: str
    parts: list[parts.Part]
    steps: list[StepOut]
    finish_reason: str
    stopped_by: str | None = Field(description="why there was no further step, in words")
    usage: UsageTokensOut | None
    cost_usd: Usd | None = Field(description="of all attempts; null: some of it is unknown")
    attempts: list[AttemptOut]
    notices: list[NoticeOut]
    citations: list[dict[str, Any]]
    safety: list[dict[str, Any]]
    metadata: dict[str, str] = Field(description="as it was sent")


class ToolOut(Schema):
    name: str
    description: str
    parameters: dict[str, Any] = Field(description="its JSON Schema")


class ToolsOut(Schema):
    tools: list[ToolOut]


@dataclass(slots=True)
class Gathered:
    """Everything that an answer said, in order."""

    parts: list[Part] = field(default_factory=list)
    steps: list[StepEnded] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    citations: list[dict[str, Any]] = field(default_factory=list)
    safety: list[dict[str, Any]] = field(default_factory=list)
    finish: Finish | None = None

    def add(self, event: Event) -> None:
        match event:
            case TextDelta(text, is_refusal):
                self._say(Refusal(text) if is_refusal else Text(text))
            case ReasoningDelta(_, replay) if replay is not None:
                self.parts.append(replay)
            case ToolCalled(_, call):
                self.parts.append(call)
            case ToolResulted(_, result):
                self.parts.append(result)
            case StepEnded():
                self.steps.append(event)
            case Finish():
                self.finish = event
            case _:
                self._add_words_about(event)

    def _add_words_about(self, event: Event) -> None:
        match event:
            case Notice():
                self.notices.append(event)
            case Citations(items):
                self.citations.extend(asdict(item) for item in items)
            case Safety():
                self.safety.append(asdict(event))
            case _:
                pass

    def _say(self, said: Text | Refusal) -> None:
        last = self.parts[-1] if self.parts else None
        if isinstance(last, Text | Refusal) and type(last) is type(said):
            self.parts[-1] = type(said)(last.text + said.text)
        else:
            self.parts.append(said)


def body(gathered: Gathered, answer: Answer) -> dict[str, Any]:
    """Figures are final: the answer has been left."""
    call = answer.call
    # From the cache or predefined: nobody was asked, and yet it is somebody's answer.
    last = call.attempts[-1].deployment if call.attempts else answer.deployment
    finish = gathered.finish
    return {
        "id": str(call.id),
        "model": call.request.route,
        "provider": last.provider,
        "deployment": last.name,
        "text": gathered.steps[-1].text if gathered.steps else "",
        "parts": parts.written(gathered.parts),
        "steps": [_step(step) for step in gathered.steps],
        "finish_reason": finish.reason.value if finish else "",
        "stopped_by": finish.stopped_by if finish else None,
        "usage": _usage(call.usage),
        "cost_usd": _dollars(call.cost_nano),
        "attempts": [_attempt(record) for record in call.attempts],
        "notices": [asdict(notice) for notice in gathered.notices],
        "citations": gathered.citations,
        "safety": gathered.safety,
        "metadata": dict(call.request.metadata),
    }


def _step(step: StepEnded) -> dict[str, Any]:
    return {
        "number": step.number,
        "text": step.text,
        "tool_calls": [asdict(call) for call in step.calls],
        "tool_results": [asdict(result) for result in step.results],
        "usage": _usage(step.usage),
        "cost_usd": _dollars(step.cost_nano),
        "duration_ms": step.duration_ms,
        "finish_reason": step.reason.value,
    }


def _attempt(record: AttemptRecord) -> dict[str, Any]:
    return {
        "number": record.number,
        "deployment": record.deployment.name,
        "status": record.status.value,
        "error_code": record.error_code or "",
        "ttft_ms": record.ttft_ms,
        "duration_ms": record.duration_ms,
        "cost_usd": _dollars(record.cost_nano),
    }


def _usage(used: Usage | None) -> dict[str, Any] | None:
    return None if used is None else asdict(used)


def _dollars(nano: int | None) -> Any:
    return None if nano is None else usd(nano)
