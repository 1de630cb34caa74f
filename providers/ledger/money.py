"""Nano-dollars to and from what people read and type."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from providers.engine.usage import NANO_PER_USD


def usd(nano: int | None) -> str:
    """`$1,234.50`, `$0.25`, `$0.0041`; below ten cents three digits that count. None: `unknown`."""
    if nano is None:
        return "unknown"
    sign = "-" if nano < 0 else ""
    dollars = to_decimal(abs(nano))
    digits = 2
    if Decimal(0) < dollars < Decimal("0.1"):
        digits = min(9, max(2, 2 - dollars.adjusted()))
    text = f"{dollars.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP):,f}"
    whole, _, fraction = text.partition(".")
    return f"{sign}${whole}.{fraction.rstrip('0').ljust(2, '0')}"


def to_decimal(nano: int) -> Decimal:
    """Dollars, exact."""
    return Decimal(nano) / NANO_PER_USD


def to_nano(dollars: Decimal) -> int:
    """Round once, half up."""
    return int((dollars * NANO_PER_USD).quantize(Decimal(1), ROUND_HALF_UP))
