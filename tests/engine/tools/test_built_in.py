"""The tools that come with the engine."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.engine.request import Tool, ToolCall
from providers.engine.tools import HostedTool, Runner, ToolFailed, ToolStatus
from providers.engine.tools.calculator import calculator, evaluate
from providers.engine.tools.clock import current_time
from providers.engine.tools.mock import Case, Part, mock
from tests.engine.conftest import now


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("0.1 + 0.2", "0.3"),
        ("(3.5 + 2) * 12 ** 2", "792"),
        ("2 ^ 10", "1024"),
        ("-2 ** 2", "-4"),
        ("2 ** -1", "0.5"),
        ("2 ** 3 ** 2", "512"),
        ("10 - 4 - 3", "3"),
        ("-7 % 3", "2"),
        ("-7 // 2", "-4"),
        ("1_000 * 1.5e3", "1500000"),
        ("round(2.5) + round(1.005, 2)", "4.01"),
        ("max(1, sqrt(16), abs(-3))", "4"),
        ("round(pi, 4)", "3.1416"),
        ("123456789012345678901234567890 * 10", "1234567890123456789012345678900"),
    ],
)
def test_the_calculator_is_exact(expression: str, value: str) -> None:
    assert evaluate(expression) == value


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("1 / 0", "Division by zero"),
        ("9 ** 9 ** 9", "Exponents go up to"),
        ("1e9000 * 1e9000", "too large"),
        ("sqrt(-1)", "not defined"),
        ("__import__('os')", "no function"),
        ("lambda: 1", "Character 7 is not understood"),
        ("1 +", "end is missing"),
        ("1 2", "Did not expect"),
        ("2 $ 3", "Character 2 is not understood"),
        ("(" * 200 + "1" + ")" * 200, "nested too deeply"),
        ("-" * 200 + "1", "nested too deeply"),
        ("sqrt(1, 2, 3, 4)", "does not take"),
        ("1" * 60, "up to 50 digits"),
        ("round(1, 99)", "digits"),
    ],
)
def test_the_calculator_refuses_in_words(expression: str, words: str) -> None:
    with pytest.raises(ToolFailed, match=words):
        evaluate(expression)


@given(st.text(alphabet="0123456789.+-*/%^() ,episqrt_", max_size=60))
def test_the_calculator_answers_or_refuses_whatever_is_written(expression: str) -> None:
    try:
        value = evaluate(expression)
    except ToolFailed:
        return
    Decimal(value)


@given(st.integers(-(10**20), 10**20), st.integers(-(10**20), 10**20))
def test_the_calculator_agrees_with_whole_numbers(a: int, b: int) -> None:
    assert evaluate(f"({a}) * ({b}) + ({a}) - ({b})") == str(a * b + a - b)


async def _said(tool: HostedTool, arguments: str) -> tuple[ToolStatus, str]:
    ran = await Runner(now).run(ToolCall("1", tool.name, arguments), {tool.name: tool})
    return ran.status, ran.content


async def test_the_calculator_as_a_tool_bounds_its_expression() -> None:
    assert await _said(calculator(), '{"expression": "6*7"}') == (ToolStatus.OK, "42")
    status, _ = await _said(calculator(), '{"expression": "' + "1+" * 300 + '1"}')
    assert status is ToolStatus.INVALID_INPUT


async def test_the_time_is_told_in_any_zone() -> None:
    tool = current_time(lambda: datetime(2026, 7, 1, 22, 30, tzinfo=UTC))
    assert await _said(tool, "{}") == (
        ToolStatus.OK,
        "2026-07-01T22:30:00+00:00 (Wednesday, UTC)",
    )
    _, paris = await _said(tool, '{"time_zone": "Europe/Paris"}')
    assert paris == "2026-07-02T00:30:00+02:00 (Thursday, Europe/Paris)"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "", "/etc/localtime"])
async def test_an_unknown_time_zone_is_refused_in_words(zone: str) -> None:
    tool = current_time(lambda: datetime(2026, 7, 1, tzinfo=UTC))
    status, words = await _said(tool, f'{{"time_zone": "{zone}"}}')
    assert status is ToolStatus.FAILED
    assert "no time zone" in words


async def test_a_mock_answers_by_its_arguments_after_its_delay() -> None:
    part = Part("unknown", (Case({"city": "Paris"}, "19 °C"),), delay_s=5)
    tool = mock(Tool("weather", "", {"type": "object"}), part, asyncio.sleep)
    began = now()
    assert await _said(tool, '{"city": "Paris", "unit": "C"}') == (ToolStatus.OK, "19 °C")
    assert now() - began == pytest.approx(5)
    assert await _said(tool, '{"city": "Rome"}') == (ToolStatus.OK, "unknown")


async def test_a_mock_can_fail() -> None:
    tool = mock(Tool("weather", "", {"type": "object"}), Part(error="No luck."), asyncio.sleep)
    assert await _said(tool, "{}") == (ToolStatus.FAILED, "No luck.")
