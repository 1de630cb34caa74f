"""Figures that only the playground has; the others are `figures`."""

from __future__ import annotations

from django import template

from providers.templatetags.figures import UNKNOWN

register = template.Library()


@register.filter
def rate(tokens_per_s: float | None) -> str:
    return UNKNOWN if tokens_per_s is None else f"{tokens_per_s:,.0f} tok/s"
