from __future__ import annotations

from decimal import Decimal

import pytest

from providers.ledger.money import to_decimal, to_nano, usd


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (None, "unknown"),
        (0, "$0.00"),
        (1, "$0.000000001"),
        (4_100_000, "$0.0041"),
        (4_125_600, "$0.00413"),
        (41_250_000, "$0.0413"),
        (250_000_000, "$0.25"),
        (397_600_000, "$0.40"),
        (999_999_999, "$1.00"),
        (1_000_000_000, "$1.00"),
        (1_234_500_000_000, "$1,234.50"),
        (-30_000_000, "-$0.03"),
    ],
)
def test_dollars_have_the_digits_that_count(nano: int | None, text: str) -> None:
    assert usd(nano) == text


def test_dollars_and_nano_dollars_are_the_same_money() -> None:
    assert to_decimal(1) == Decimal("0.000000001")
    assert to_nano(Decimal("12.3456789012")) == 12_345_678_901
    assert to_nano(Decimal("0.0000000005")) == 1
