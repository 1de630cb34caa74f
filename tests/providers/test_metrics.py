"""What is counted, and under which labels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from prometheus_client import REGISTRY, generate_latest

from providers.engine.call import AttemptRecord, AttemptStatus, Call
from providers.engine.policy import FilterMode
from providers.engine.ports import BreakerChange, BreakerWord, CircuitKey, Intent
from providers.engine.request import Tool
from providers.engine.routes import Route
from providers.engine.tools import HostedTool, Ran, ToolStatus
from providers.engine.usage import Usage
from providers.metrics import MeasuredLedger, Metrics
from tests.fakes import CALLER, MemoryLedger, a_deployment, a_request

FIRST = replace(a_deployment(1), provider="counted", model="first")
SECOND = replace(a_deployment(2), provider="counted", model="second")


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def a_call(*records: AttemptRecord) -> Call:
    request = a_request("sk-canary of a prompt")
    return Call(request, CALLER, Route("gpt", (FIRST, SECOND)), 0.0, attempts=list(records))


def an_attempt(number: int, deployment: object = FIRST, **fields: object) -> AttemptRecord:
    base = AttemptRecord(number, FIRST, datetime(2026, 11, 22, tzinfo=UTC), 10)
    return replace(base, deployment=deployment, **fields)  # type: ignore[arg-type]


def test_a_call_is_counted_by_how_it_ended() -> None:
    ok = an_attempt(1, status=AttemptStatus.OK, usage=Usage(10, 20), duration_ms=100, ttft_ms=50)
    call = a_call(ok)
    metrics = Metrics()
    labels = {"provider": "counted", "model": "first"}
    refused = {"provider": "", "model": "", "status": "budget_exceeded"}
    before = value("gai_requests_total", **labels, status="ok")
    refused_before = value("gai_requests_total", **refused)
    metrics.attempt_ended(call, ok)
    metrics.call_ended(call, None, 0.1)
    metrics.call_ended(a_call(), "budget_exceeded", 0.1)
    assert value("gai_requests_total", **labels, status="ok") == before + 1
    assert value("gai_request_tokens_sum", **labels, type="total") == 30
    assert value("gai_cost_usd_total", **labels) > 0
    assert value("gai_requests_total", **refused) == refused_before + 1


def test_retries_and_fallbacks_are_told_apart() -> None:
    failed = an_attempt(1, status=AttemptStatus.FAILED, error_code="upstream_unavailable")
    again = an_attempt(2, status=AttemptStatus.FAILED, error_code="upstream_unavailable")
    other = an_attempt(3, SECOND, status=AttemptStatus.OK)
    call = a_call(failed, again, other)
    metrics = Metrics()
    for record in call.attempts:
        metrics.attempt_ended(call, record)
    metrics.call_ended(call, None, 0.1)
    first, second = ({"provider": "counted", "model": name} for name in ("first", "second"))
    assert value("gai_retries_total", **first) == 1
    assert value("gai_retries_total", **second) == 0
    assert value("gai_fallbacks_total", **second) == 1
    assert value("gai_provider_errors_total", **first, code="upstream_unavailable") == 2


def test_a_breakers_state_is_a_number_and_the_worst_credentials_counts() -> None:
    metrics, closed = Metrics(), BreakerWord.CLOSED
    ours, theirs = CircuitKey(FIRST.id, "organisation"), CircuitKey(FIRST.id, "team 3")
    for key, after, number in (
        (ours, BreakerWord.OPEN, 2),
        (theirs, BreakerWord.HALF_OPEN, 2),
        (ours, BreakerWord.CLOSED, 1),
        (theirs, BreakerWord.CLOSED, 0),
    ):
        metrics.breaker_changed(FIRST, BreakerChange(key, closed, after, "for a test"))
        assert value("gai_breaker_state", provider="counted", model="first") == number


def test_a_transition_is_counted_by_the_process_that_made_it() -> None:
    labels = {"provider": "counted", "model": "first", "state": "open"}
    before = value("gai_breaker_transitions_total", **labels)
    key, closed, opened = CircuitKey(FIRST.id, ""), BreakerWord.CLOSED, BreakerWord.OPEN
    Metrics().breaker_changed(FIRST, BreakerChange(key, closed, opened, "x"))
    Metrics().breaker_changed(FIRST, BreakerChange(key, closed, opened, "x", made_here=False))
    assert value("gai_breaker_transitions_total", **labels) == before + 1


async def test_open_holds_are_a_gauge() -> None:
    ledger = MeasuredLedger(MemoryLedger(), lambda: 0.0)
    before = value("gai_reservations_open")
    call = a_call()
    reservation = await ledger.reserve(Intent(call.id, CALLER, "gpt", 10, 60.0))
    assert value("gai_reservations_open") == before + 1
    await ledger.settle(reservation, [])
    assert value("gai_reservations_open") == before


def test_no_label_is_a_callers_text() -> None:
    assert b"canary" not in generate_latest()


def test_what_filters_found_is_counted_by_kind_and_never_by_text() -> None:
    metrics = Metrics()
    labels = {"kind": "email", "place": "input", "action": "redact"}
    before = value("gai_filter_findings_total", **labels)
    own_before = value("gai_filter_findings_total", **{**labels, "kind": "custom"})
    metrics.filter_found("email", "input", FilterMode.REDACT, 2)
    metrics.filter_found("Case no", "input", FilterMode.REDACT, 1)
    assert value("gai_filter_findings_total", **labels) == before + 2
    assert value("gai_filter_findings_total", **{**labels, "kind": "custom"}) == own_before + 1


def test_what_validation_refuses_is_counted_by_the_guides_code() -> None:
    before = value("gai_validation_errors_total", code="TOO_MANY_MESSAGES")
    call = a_call()
    Metrics().call_ended(call, "too_many_messages", 0.1)
    Metrics().call_ended(call, "upstream_timeout", 0.1)
    assert value("gai_validation_errors_total", code="TOO_MANY_MESSAGES") == before + 1


def test_tools_are_counted_by_how_they_ended_and_made_up_names_are_no_label() -> None:
    async def run(given: object) -> str:
        return str(given)

    tool = HostedTool(Tool("counted", "", {}), run)
    metrics = Metrics()
    metrics.tool_ended(a_call(), Ran(tool, ToolStatus.OK, "42", 0.2))
    metrics.tool_ended(a_call(), Ran(tool, ToolStatus.BROKEN, "", 0.1, KeyError("sk-canary")))
    metrics.tool_ended(a_call(), Ran(None, ToolStatus.UNKNOWN, "sk-canary", 0.0))
    total = "gai_tool_executions_total"
    assert value(total, tool="counted", status="ok") == 1
    assert value(total, tool="counted", status="broken") == 1
    assert value(total, tool="", status="unknown") == 1
    assert value("gai_tool_duration_seconds_count", tool="counted") == 2
    assert "sk-canary" not in generate_latest().decode()
