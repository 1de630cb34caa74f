"""Figures as people read them. Unknown (None) is a dash, never a zero."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from django import template

from providers.ledger import money

register = template.Library()

UNKNOWN = "–"  # noqa: RUF001  an en dash is the sign that tables use
MILLION = 1_000_000
EXACT = {"100.0": "100", "0.0": "0"}


@register.filter
def usd(nano: int | None) -> str:
    """Dollars of nano-dollars."""
    return UNKNOWN if nano is None else money.usd(nano)


@register.filter
def exact_usd(amount: Decimal) -> str:
    """Dollars with every place that counts, at least two."""
    whole, _, fraction = f"{abs(amount).normalize():f}".partition(".")
    return f"{'-' if amount < 0 else ''}${int(whole):,}.{fraction.ljust(2, '0')}"


@register.filter
def exact_nano(nano: int | None) -> str:
    """Dollars of nano-dollars, to the last one."""
    return UNKNOWN if nano is None else exact_usd(money.to_decimal(nano))


@register.filter
def named(names: dict[str, str], key: str) -> str:
    return names.get(key, key)


@register.filter
def count(number: int | None) -> str:
    return UNKNOWN if number is None else f"{number:,}"


@register.filter
def compact(number: int | None) -> str:
    """`812`, `14.2 k`, `3.1 M`: where room is short and the exact number does not matter."""
    if number is None:
        return UNKNOWN
    if number < 10_000:
        return f"{number:,}"
    size, unit = (MILLION, "M") if number >= MILLION else (1000, "k")
    return f"{number / size:,.1f} {unit}"


@register.filter
def milliseconds(duration: int | None) -> str:
    """`820 ms`, `1.4 s`, `2 min 5 s`."""
    if duration is None:
        return UNKNOWN
    if duration < 1000:
        return f"{duration} ms"
    if duration < 60_000:
        return f"{duration / 1000:.1f} s"
    minutes, seconds = divmod(duration // 1000, 60)
    return f"{minutes} min {seconds} s"


@register.filter
def percent(share: float | None) -> str:
    """Of a share between 0 and 1; never rounds a fault away: 99.97 stays below 100.

    The space before the sign does not break.
    """
    if share is None:
        return UNKNOWN
    text = f"{share * 100:.1f}"
    if text == "100.0" and share < 1:
        text = "99.9"
    elif text == "0.0" and share > 0:
        text = "<0.1"
    return f"{EXACT.get(text, text)}\u00a0%"


@register.filter
def signed_percent(share: float | None) -> str:
    """Of a change, such as 0.25: `+25 %`, `-3.1 %`, `0 %`; a thousand and more: `x 12.4`."""
    if share is None:
        return UNKNOWN
    if share >= 10:
        return f"×\u00a0{share + 1:,.1f}"  # noqa: RUF001  the sign of times
    sign = "" if share == 0 else "+" if share > 0 else "-"
    return f"{sign}{percent(abs(share))}"


@register.filter
def ago(at: datetime, now: datetime) -> str:
    """`just now`, `12 s ago`, `3 min ago`, `2 h ago`, `4 d ago`; no matter the reader's clock."""
    seconds = max(0, int((now - at).total_seconds()))
    if seconds < 2:
        return "just now"
    sizes = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
    size, unit = next(each for each in sizes if seconds >= 2 * each[0])
    return f"{seconds // size} {unit} ago"
