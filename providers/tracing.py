"""Spans of calls and their attempts, for OpenTelemetry. Switched off, none of this is made.

No span holds a prompt, an answer or a key; names are the catalog's. A trace that begins here has
the request's id, so that the id in a response header, a log line or a receipt finds it.
Attributes: OpenTelemetry semantic conventions for generative AI, and the guide's `ai.*`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from opentelemetry.context import Context
from opentelemetry.trace import (
    Span,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from providers.engine.call import AttemptRecord, AttemptStatus, Call, Caller, Tier
from providers.engine.errors import Cancelled, EngineError
from providers.engine.policy import FilterMode
from providers.engine.ports import BreakerChange, UtcNow
from providers.engine.request import CompletionRequest
from providers.engine.routes import Deployment
from providers.engine.tools import Ran, ToolStatus
from providers.engine.usage import NANO_PER_USD, Usage

Attributes = dict[str, AttributeValue]

wanted_trace_id: ContextVar[int] = ContextVar("wanted_trace_id", default=0)
"""Id that a trace which begins now should have; 0: any."""
_here: ContextVar[_Request | None] = ContextVar("request_here", default=None)
_w3c = TraceContextTextMapPropagator()


@dataclass(frozen=True, slots=True)
class _Request:
    span: Span
    id: UUID


@dataclass(slots=True)
class Tracing:
    """An observer of calls. `providers` empty: attempts at every one; else only at these.

    They may be replaced at any time.

    Attempts become spans when they have ended: their times are known then, and an unsampled call
    makes no child at all.
    """

    tracer: Tracer
    utcnow: UtcNow
    providers: frozenset[str] = frozenset()

    @contextmanager
    def following(self, request: CompletionRequest, caller: Caller) -> Generator[None]:
        """Span one request; a span that is open here already becomes its parent."""
        outer = _here.get()
        wanted_trace_id.set(request.id.int)
        span = self.tracer.start_span(
            "ai.stream_text" if request.stream else "ai.generate_text",
            context=_context_of(request, outer),
            kind=SpanKind.SERVER,
            attributes=_asked(request, caller),
        )
        _here.set(_Request(span, request.id))
        try:
            yield
        except BaseException as error:
            _fail(span, error)
            raise
        finally:
            # Not reset by token: an answer may be closed in another context than it was opened in.
            _here.set(outer)
            span.end()

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None:
        if self._wants(record.deployment):
            began = _nanoseconds(record.started_at)
            self._child(
                f"chat {record.deployment.model}",
                SpanKind.CLIENT,
                _attempted(record) | {"gai.call_id": str(call.id)},
                (began, began + (record.duration_ms or 0) * 1_000_000),
                record.error_code,
            )

    def tool_ended(self, call: Call, ran: Ran) -> None:
        """Name it as the catalog does; a name that the model made up is left out."""
        name = ran.tool.name if ran.tool is not None else "unknown"
        ended = _nanoseconds(self.utcnow())
        failed = None if ran.status is ToolStatus.OK else ran.status.value
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": name,
            "gai.call_id": str(call.id),
        }
        self._child(
            f"execute_tool {name}",
            SpanKind.INTERNAL,
            attributes,
            (ended - round(ran.duration_s * 1e9), ended),
            failed,
        )

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None:
        here = _here.get()
        if here is None or not here.span.is_recording():
            return
        attributes: Attributes = {"gai.attempts": len(call.attempts), "gai.duration_s": duration_s}
        if call.attempts:
            attributes |= _of(call.attempts[-1].deployment)
        if call.usage is not None:
            attributes |= _used(call.usage)
        if call.cost_nano is not None:
            attributes["gai.cost_usd"] = call.cost_nano / NANO_PER_USD
        here.span.set_attributes(attributes)
        if error_code is not None:
            here.span.set_attribute("error.type", error_code)
            if error_code != Cancelled.code:
                here.span.set_status(Status(StatusCode.ERROR, error_code))

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
        """Say nothing: a transition belongs to no request."""

    def filter_found(self, kind: str, place: str, action: FilterMode, count: int) -> None:
        """Say nothing: it belongs to no attempt."""

    def retry_denied(self, deployment: Deployment) -> None:
        """Say nothing: the metrics count it."""

    def cache_asked(self, call: Call, found: Tier | None) -> None:  # noqa: ARG002 - the port's
        here = _here.get()
        if here is not None:
            here.span.set_attribute("gai.cache", "miss" if found is None else found.value)

    def answer_kept(self, size: int) -> None:
        """Say nothing: the metrics count it."""

    def batch_sent(self, deployment: Deployment, texts: int) -> None:
        """Say nothing: a batch belongs to several requests."""

    def _child(
        self,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        times: tuple[int, int],
        error_code: str | None,
    ) -> None:
        """Write down what has ended; nothing where the request is not sampled."""
        here = _here.get()
        if here is None or not here.span.is_recording():
            return
        child = self.tracer.start_span(
            name,
            context=set_span_in_context(here.span),
            kind=kind,
            attributes=attributes | {"gai.request_id": str(here.id)},
            start_time=times[0],
        )
        if error_code is not None:
            child.set_attribute("error.type", error_code)
            child.set_status(Status(StatusCode.ERROR, error_code))
        child.end(times[1])

    def _wants(self, deployment: Deployment) -> bool:
        return not self.providers or deployment.provider in self.providers


def headers_here() -> Mapping[str, str]:
    """W3C trace context of the request that runs here; empty where none is traced."""
    carrier: dict[str, str] = {}
    here = _here.get()
    if here is not None:
        _w3c.inject(carrier, set_span_in_context(here.span))
    return carrier


def trace_of(traceparent: str | None) -> str:
    """Name a caller's own W3C trace in hexadecimal; empty: there is none, or a senseless one."""
    context = _w3c.extract({"traceparent": traceparent or ""})
    span = get_current_span(context).get_span_context()
    return f"{span.trace_id:032x}" if span.is_valid else ""


def _context_of(request: CompletionRequest, outer: _Request | None) -> Context:
    if outer is not None:
        return set_span_in_context(outer.span)
    return _w3c.extract({"traceparent": request.traceparent or ""})


def _asked(request: CompletionRequest, caller: Caller) -> Attributes:
    attributes: Attributes = {
        "gai.request_id": str(request.id),
        "gai.route": request.route,
        "gai.source": caller.source.value,
        "gen_ai.operation.name": "chat",
        "ai.message_count": len(request.messages),
        "ai.tool_count": len(request.tools),
    }
    if request.max_output_tokens is not None:
        attributes["gen_ai.request.max_tokens"] = request.max_output_tokens
        attributes["ai.max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        attributes["gen_ai.request.temperature"] = request.temperature
        attributes["ai.temperature"] = request.temperature
    return attributes


def _of(deployment: Deployment) -> Attributes:
    return {
        "gen_ai.provider.name": deployment.provider,
        "gen_ai.request.model": deployment.model,
        "ai.provider": deployment.provider,
        "ai.model": deployment.model,
    }


def _attempted(record: AttemptRecord) -> Attributes:
    attributes = _of(record.deployment) | {
        "gen_ai.operation.name": "chat",
        "gai.attempt": record.number,
    }
    if record.usage is not None:
        attributes |= _used(record.usage)
    if record.ttft_ms is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = record.ttft_ms / 1000
    if record.http_status is not None:
        attributes["http.response.status_code"] = record.http_status
    if record.upstream_request_id is not None:
        attributes["gai.upstream_request_id"] = record.upstream_request_id
    if record.error_code is not None:
        attributes["error.retryable"] = record.failure is not None and record.failure.retry_here
    attributes["gai.cut"] = record.status is AttemptStatus.CUT
    return attributes


def _used(usage: Usage) -> Attributes:
    return {
        "gen_ai.usage.input_tokens": usage.input_tokens,
        "gen_ai.usage.output_tokens": usage.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read_tokens,
        "ai.response.tokens.input": usage.input_tokens,
        "ai.response.tokens.output": usage.output_tokens,
        "ai.response.tokens.total": usage.input_tokens + usage.output_tokens,
    }


def _fail(span: Span, error: BaseException) -> None:
    """Tell its kind; the words stay out, since they may quote a provider."""
    if isinstance(error, EngineError):
        span.set_attribute("error.type", error.code)
        span.set_attribute("error.retryable", error.may_retry)
        span.set_status(Status(StatusCode.ERROR, error.code))
    elif isinstance(error, Exception):
        span.set_attribute("error.type", EngineError.code)
        span.set_status(Status(StatusCode.ERROR, EngineError.code))


def _nanoseconds(at: datetime) -> int:
    return int(at.timestamp() * 1_000_000) * 1000
