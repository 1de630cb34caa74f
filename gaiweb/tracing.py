"""OpenTelemetry's side of tracing: who samples, where spans go. Not set up without an endpoint."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from django.conf import settings
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import (
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, SpanKind
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import Attributes

from providers.tracing import wanted_trace_id

_FLUSH_MS = 5_000
# Of a UUIDv7 made in quick succession only the last 32 bits are drawn anew; a counter is above.
_RANDOM_BITS = 32


@dataclass(slots=True)
class Traces:
    """A service of the process: spans are sent from a thread, what is left is sent at the end."""

    _provider: TracerProvider | None = field(default=None)
    _ratio: Ratio | None = field(default=None)

    async def start(self) -> None:
        self.open()

    async def stop(self) -> None:
        self.close()

    def open(self) -> None:
        told = settings.GAIWEB.tracing
        if told.exporter_otlp_endpoint is None or self._provider is not None:
            return
        self._ratio = Ratio(told.traces_sampler_arg)
        self._provider = TracerProvider(
            sampler=ParentBased(self._ratio),
            resource=Resource.create({
                "service.name": told.service_name,
                "service.version": _version(),
                "deployment.environment.name": settings.GAIWEB.environment,
            }),
            id_generator=RequestIds(),
            shutdown_on_exit=False,
        )
        exporter = OTLPSpanExporter(
            endpoint=told.exporter_otlp_endpoint.rstrip("/") + "/v1/traces", headers=told.headers
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        trace.set_tracer_provider(self._provider)

    def sample(self, share: float) -> None:
        """Trace this share from now on."""
        if self._ratio is not None:
            self._ratio.set(share)

    def close(self) -> None:
        if self._provider is not None:
            self._provider.force_flush(_FLUSH_MS)
            self._provider.shutdown()
            self._provider = None


class RequestIds(IdGenerator):
    """A trace that begins here is found by its request's id."""

    def generate_span_id(self) -> int:
        return random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        return wanted_trace_id.get() or random.getrandbits(128) or 1


class Ratio(Sampler):
    """Sample this share of traces by the last bits of their id.

    The library's own looks at the last 64, of which a UUID fixes the first two.
    """

    def __init__(self, ratio: float) -> None:
        self.set(ratio)

    def set(self, ratio: float) -> None:
        self._ratio = ratio
        self._below = round(ratio * (1 << _RANDOM_BITS))

    def should_sample(  # noqa: PLR0913 - the library's signature
        self,
        parent_context: Context | None,  # noqa: ARG002 - ParentBased has looked at it
        trace_id: int,
        name: str,  # noqa: ARG002 - the library's signature
        kind: SpanKind | None = None,  # noqa: ARG002 - as above
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,  # noqa: ARG002 - as above
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        is_in = trace_id & ((1 << _RANDOM_BITS) - 1) < self._below
        decision = Decision.RECORD_AND_SAMPLE if is_in else Decision.DROP
        return SamplingResult(decision, attributes if is_in else None, trace_state)

    def get_description(self) -> str:
        return f"ratio of {self._ratio}"


def _version() -> str:
    try:
        return version("gaiweb")
    except PackageNotFoundError:
        return "unreleased"


traces = Traces()
