"""The engine's observer that counts for Prometheus. Labels are the catalog's names only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from prometheus_client import Counter, Gauge, Histogram
from structlog import get_logger

from providers.engine.call import AttemptRecord, AttemptStatus, Call, Tier
from providers.engine.codes import CODES, TABLE
from providers.engine.errors import InvalidRequest
from providers.engine.filters.verdicts import LABELS
from providers.engine.policy import FilterMode
from providers.engine.ports import (
    BreakerChange,
    BreakerWord,
    CircuitKey,
    Downgrade,
    Intent,
    Ledger,
    Now,
    Reservation,
)
from providers.engine.routes import Deployment
from providers.engine.tools import Ran
from providers.engine.usage import NANO_PER_USD

log = get_logger(__name__)

_DEPLOYMENT = ["provider", "model"]
_SECONDS = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
_TOKENS = (10, 50, 100, 500, 1000, 5000, 10000, 50000)
_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_BREAKER = {BreakerWord.CLOSED: 0, BreakerWord.HALF_OPEN: 1, BreakerWord.OPEN: 2}
_NONE = Deployment(id=0, provider="", kind="", model="", base_url="")

requests_total = Counter("gai_requests_total", "Calls by how they ended.", [*_DEPLOYMENT, "status"])
request_seconds = Histogram(
    "gai_request_duration_seconds",
    "A call from its acceptance to its settlement.",
    [*_DEPLOYMENT, "status"],
    buckets=_SECONDS,
)
request_tokens = Histogram(
    "gai_request_tokens", "Tokens of a call.", [*_DEPLOYMENT, "type"], buckets=_TOKENS
)
active = Gauge("gai_active_connections", "Calls under way.", multiprocess_mode="livesum")
provider_requests = Counter(
    "gai_provider_requests_total", "Attempts by how they ended.", [*_DEPLOYMENT, "status"]
)
provider_errors = Counter(
    "gai_provider_errors_total", "Failed attempts by error.", [*_DEPLOYMENT, "code"]
)
provider_seconds = Histogram(
    "gai_provider_latency_seconds", "An attempt, whole.", _DEPLOYMENT, buckets=_SECONDS
)
first_token_seconds = Histogram(
    "gai_time_to_first_token_seconds", "Until the first content.", _DEPLOYMENT, buckets=_SECONDS
)
cost_usd = Counter("gai_cost_usd_total", "Dollars of all attempts.", _DEPLOYMENT)
retries = Counter("gai_retries_total", "Further attempts at the same deployment.", _DEPLOYMENT)
retries_denied = Counter(
    "gai_retries_denied_total", "Retries that the retry budget did not allow.", _DEPLOYMENT
)
fallbacks = Counter("gai_fallbacks_total", "Calls answered by a later deployment.", _DEPLOYMENT)
breaker_state = Gauge(
    "gai_breaker_state",
    "0 closed, 1 half-open, 2 open.",
    _DEPLOYMENT,
    multiprocess_mode="livemax",
)
breaker_changes = Counter(
    "gai_breaker_transitions_total", "Transitions, by the state entered.", [*_DEPLOYMENT, "state"]
)
filter_findings = Counter(
    "gai_filter_findings_total",
    "What the content filters found, and what was done; never the text.",
    ["kind", "place", "action"],
)
validation_errors = Counter(
    "gai_validation_errors_total", "Requests that validation refused.", ["code"]
)
tool_executions = Counter(
    "gai_tool_executions_total", "Calls of hosted tools by how they ended.", ["tool", "status"]
)
tool_seconds = Histogram(
    "gai_tool_duration_seconds", "One call of a hosted tool.", ["tool"], buckets=_SECONDS
)
shared_state = Gauge(
    "gai_shared_state_up",
    "1: breakers and limits are shared through Redis; 0: Redis is away, each process counts alone.",
    multiprocess_mode="livemin",
)
degradation_level = Gauge(
    "gai_degradation_level",
    "0 full, 1 simplified, 2 essential, 3 emergency; for teams without limits of their own.",
    multiprocess_mode="livemax",
)
health_score = Gauge(
    "gai_health_score",
    "0 to 1; of the system where provider and model are empty.",
    _DEPLOYMENT,
    multiprocess_mode="livemin",
)
ledger_seconds = Histogram(
    "gai_ledger_commit_seconds",
    "Until a hold or a settlement is durable.",
    ["operation"],
    buckets=_COMMIT,
)
reservations_open = Gauge(
    "gai_reservations_open", "Holds of running calls.", multiprocess_mode="livesum"
)
reservations_stale = Gauge(
    "gai_reservations_stale",
    "Holds that the last sweep found past their deadline, and resolved.",
    multiprocess_mode="livemostrecent",
)
key_fetch_errors = Counter(
    "gai_key_fetch_errors_total",
    "Stored provider keys that could not be opened, by reason.",
    ["provider", "reason"],
)
queue_age_seconds = Gauge(
    "gai_queue_age_seconds",
    "How long the job waited that a worker took last; jobs are taken in order.",
    ["queue"],
    multiprocess_mode="livemostrecent",
)
queue_taken_at = Gauge(
    "gai_queue_last_taken_timestamp_seconds",
    "When a worker took its last job; it should never be a minute ago.",
    ["queue"],
    multiprocess_mode="livemostrecent",
)
config_reloads = Counter(
    "gai_config_reloads_total", "Changes of the settings file, taken or refused.", ["result"]
)
process_memory = Gauge(
    "gai_process_memory_bytes", "Resident memory of a process.", multiprocess_mode="liveall"
)
asyncio_tasks = Gauge(
    "gai_asyncio_tasks", "Tasks of a process's event loop.", multiprocess_mode="liveall"
)
cache_asked = Counter(
    "gai_cache_requests_total",
    "Prompts that may be answered from the cache, by what was found.",
    ["result", "tier"],
)
batch_texts = Histogram(
    "gai_embedding_batch_texts",
    "Texts of a request for vectors, of all callers who share it.",
    _DEPLOYMENT,
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 512, 2048),
)
cached_bytes = Histogram(
    "gai_cache_answer_bytes",
    "Answers that were kept, before they are packed.",
    buckets=(256, 1024, 4096, 16384, 65536),
)


_REFUSED = frozenset(kind.code for kind in TABLE if issubclass(kind, InvalidRequest))


class _OfDeployment:
    """The children of one deployment's labels: looking labels up costs more than counting."""

    def __init__(self, provider: str, model: str) -> None:
        names = (provider, model)
        self.latency = provider_seconds.labels(*names)
        self.ttft = first_token_seconds.labels(*names)
        self.cost = cost_usd.labels(*names)
        self.retries = retries.labels(*names)
        self.fallbacks = fallbacks.labels(*names)
        self.breaker = breaker_state.labels(*names)
        self.input = request_tokens.labels(*names, "input")
        self.output = request_tokens.labels(*names, "output")
        self.total = request_tokens.labels(*names, "total")


@cache
def _of(provider: str, model: str) -> _OfDeployment:
    return _OfDeployment(provider, model)


@cache
def _ended(provider: str, model: str, status: str) -> tuple[Counter, Histogram]:
    labels = (provider, model, status)
    return requests_total.labels(*labels), request_seconds.labels(*labels)


@cache
def _asked(found: Tier | None) -> Counter:
    return cache_asked.labels("miss" if found is None else "hit", found or "")


@cache
def _attempted(provider: str, model: str, status: str) -> Counter:
    return provider_requests.labels(provider, model, status)


_LEFT = (AttemptStatus.CANCELLED, AttemptStatus.DRAINED)
"""The caller went away, which is nobody's failure."""


class Metrics:
    """Implements the engine's Observer; a deployment shows its worst breaker."""

    def __init__(self) -> None:
        self._breakers: dict[CircuitKey, int] = {}

    def attempt_ended(self, call: Call, record: AttemptRecord) -> None:
        deployment = record.deployment
        names = (deployment.provider, deployment.model)
        children = _of(*names)
        _attempted(*names, record.status.value).inc()
        if record.error_code is not None and record.status not in _LEFT:
            provider_errors.labels(*names, record.error_code).inc()
        if record.duration_ms is not None:
            children.latency.observe(record.duration_ms / 1000)
        if record.ttft_ms is not None:
            children.ttft.observe(record.ttft_ms / 1000)
        cost_nano = record.cost_nano
        if cost_nano:
            children.cost.inc(cost_nano / NANO_PER_USD)
        if _is_retry(call, record):
            children.retries.inc()

    def call_ended(self, call: Call, error_code: str | None, duration_s: float) -> None:
        last = _answering(call)
        if error_code in _REFUSED:
            validation_errors.labels(CODES[error_code].guide).inc()
        counter, seconds = _ended(last.provider, last.model, error_code or "ok")
        counter.inc()
        seconds.observe(duration_s)
        children = _of(last.provider, last.model)
        usage = call.usage
        # A cached answer is none of today's tokens.
        if usage is not None and call.hit is None:
            children.input.observe(usage.input_tokens)
            children.output.observe(usage.output_tokens)
            children.total.observe(usage.input_tokens + usage.output_tokens)
        if error_code is None and call.is_fallback(last):
            children.fallbacks.inc()

    def tool_ended(self, call: Call, ran: Ran) -> None:
        """Count it; a name that the model made up is no label."""
        name = ran.tool.name if ran.tool is not None else ""
        tool_executions.labels(name, ran.status.value).inc()
        tool_seconds.labels(name).observe(ran.duration_s)
        if ran.fault is not None:
            log.error(
                "tool_broken", tool=name, request_id=str(call.id), fault=type(ran.fault).__name__
            )

    def breaker_changed(self, deployment: Deployment, change: BreakerChange) -> None:
        names = (deployment.provider, deployment.model)
        self._breakers[change.key] = _BREAKER[change.after]
        worst = max(
            state for key, state in self._breakers.items() if key.deployment_id == deployment.id
        )
        _of(*names).breaker.set(worst)
        if change.made_here:
            breaker_changes.labels(*names, change.after.value).inc()

    def filter_found(self, kind: str, place: str, action: FilterMode, count: int) -> None:
        # Names of a team's own patterns are theirs to choose: as labels they would never end.
        known = kind if kind in LABELS else "custom"
        filter_findings.labels(known, place, action.value).inc(count)

    def retry_denied(self, deployment: Deployment) -> None:
        retries_denied.labels(deployment.provider, deployment.model).inc()

    def cache_asked(self, call: Call, found: Tier | None) -> None:  # noqa: ARG002 - the port's
        _asked(found).inc()

    def batch_sent(self, deployment: Deployment, texts: int) -> None:
        batch_texts.labels(deployment.provider, deployment.model).observe(texts)

    def answer_kept(self, size: int) -> None:
        cached_bytes.observe(size)


def measure_health(
    level: int, system: float | None, scores: Iterable[tuple[Deployment, float]]
) -> None:
    """Show what this process goes by; `system` None: nobody has judged yet."""
    degradation_level.set(level)
    if system is not None:
        health_score.labels("", "").set(system)
    for deployment, score in scores:
        health_score.labels(deployment.provider, deployment.model).set(score)


@dataclass(frozen=True, slots=True)
class MeasuredLedger:
    """A ledger, and how long its commits take."""

    ledger: Ledger
    now: Now

    async def reserve(self, intent: Intent) -> Reservation | Downgrade:
        began = self.now()
        reservation = await self.ledger.reserve(intent)
        _reserve_seconds.observe(self.now() - began)
        if isinstance(reservation, Reservation):
            reservations_open.inc()
        return reservation

    async def top_up(self, reservation: Reservation, extra_nano: int) -> Reservation:
        return await self.ledger.top_up(reservation, extra_nano)

    def note_hit(self, call: Call, record: AttemptRecord) -> None:
        self.ledger.note_hit(call, record)

    async def settle(self, reservation: Reservation, attempts: Sequence[AttemptRecord]) -> None:
        began = self.now()
        try:
            await self.ledger.settle(reservation, attempts)
        finally:
            reservations_open.dec()
        _settle_seconds.observe(self.now() - began)


_reserve_seconds = ledger_seconds.labels("reserve")
_settle_seconds = ledger_seconds.labels("settle")


def _answering(call: Call) -> Deployment:
    if call.hit is not None:
        return call.hit.deployment
    return call.attempts[-1].deployment if call.attempts else _NONE


def _is_retry(call: Call, record: AttemptRecord) -> bool:
    """Tell whether the one before it went to the same deployment."""
    place = record.number - 2
    return (
        0 <= place < len(call.attempts)
        and call.attempts[place].deployment.id == record.deployment.id
    )
