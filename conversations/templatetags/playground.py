"""Figures in the words of the playground; a dash where nothing is known."""

from __future__ import annotations

from decimal import Decimal

from django import template

register = template.Library()

DASH = "–"  # noqa: RUF001 - the sign that tables use
NANO = Decimal(1_000_000_000)
CENT = Decimal("0.01")


@register.filter
def usd(nano: int | None) -> str:
    """Dollars with as many digits as a small amount needs."""
    if nano is None:
        return DASH
    dollars = Decimal(nano) / NANO
    if dollars == 0 or dollars >= 1:
        return f"${dollars:,.2f}"
    if dollars >= CENT:
        return f"${dollars:.4f}"
    digits = 1 - dollars.adjusted()
    return f"${dollars:.{min(digits, 9)}f}"


@register.filter
def seconds(milliseconds: int | None) -> str:
    if milliseconds is None:
        return DASH
    return f"{milliseconds} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


@register.filter
def rate(tokens_per_s: float | None) -> str:
    return DASH if tokens_per_s is None else f"{tokens_per_s:,.0f} tok/s"


@register.filter
def count(tokens: int | None) -> str:
    return DASH if tokens is None else f"{tokens:,}"
