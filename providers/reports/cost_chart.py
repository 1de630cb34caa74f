"""Spend of a period as stacked bars: the dearest groups in colour, the rest in grey."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from providers.ledger.money import usd
from providers.reports.charts import Series, StackedBars, stacked_bars
from providers.reports.periods import Period
from providers.reports.spending import GroupSpend, Spending

CostsByHour = Mapping[int, Mapping[str, int]]
COLOURS = 8
EXAMPLE = stacked_bars(
    [""] * 14,
    [Series("", "", [4, 6, 5, 9, 7, 2, 1, 5, 8, 7, 11, 9, 3, 2])],
    lambda _: "",
    height=150,
)
"""Of no meaning; it shows what will be here."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One line of the table that says the same as the bars; `values` in the order of the series."""

    title: str
    values: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class CostChart:
    """`css` maps a group's key to its colour. No series: nothing was spent."""

    bars: StackedBars
    series: tuple[Series, ...]
    css: Mapping[str, str]
    slots: tuple[Slot, ...]
    summary: str


def cost_chart(period: Period, spending: Spending, by_hour: CostsByHour | None) -> CostChart:
    """Draw days, or the hours of a single one when `by_hour` is given."""
    paid = [one for one in spending.groups if one.figures.cost_nano > 0]
    css = {one.key: f"series-{number}" for number, one in enumerate(paid[:COLOURS], start=1)}
    if by_hour is None:
        places = [(f"{day.day} {day:%b}", _full(day)) for day in spending.span.days]
        costs: list[Mapping[str, int]] = [day.costs for day in spending.days]
    else:
        hours = period.hours()
        places = [(f"{hour:%H:%M}", f"{hour:%H:%M}") for hour in hours]
        costs = [by_hour.get(number, {}) for number in range(len(hours))]
    series = _series(paid, css, costs)
    labels, titles = [label for label, _ in places], [title for _, title in places]
    return CostChart(
        bars=stacked_bars(labels, series, _short, titles=titles),
        series=series,
        css=css,
        slots=tuple(
            Slot(title, tuple(one.values[index] for one in series))
            for index, title in enumerate(titles)
        ),
        summary=_summary(period, series, titles),
    )


def _series(
    paid: Sequence[GroupSpend], css: Mapping[str, str], costs: Sequence[Mapping[str, int]]
) -> tuple[Series, ...]:
    top, rest = paid[:COLOURS], paid[COLOURS:]
    series = [Series(one.label, css[one.key], [at.get(one.key, 0) for at in costs]) for one in top]
    if rest:
        values = [sum(at.get(one.key, 0) for one in rest) for at in costs]
        series.append(Series("Other", "series-other", values))
    return tuple(series)


def _full(day: date) -> str:
    return f"{day:%a} {day.day} {day:%b %Y}"


def _short(nano: int) -> str:
    return usd(nano).removesuffix(".00")


def _summary(period: Period, series: Sequence[Series], titles: Sequence[str]) -> str:
    each = "hour" if period.is_one_day else "day"
    sums = [sum(values) for values in zip(*(one.values for one in series), strict=True)]
    if not sums:
        return f"Spend per {each}, {period.label}: nothing."
    highest = max(range(len(sums)), key=sums.__getitem__)
    largest = max(series, key=lambda one: one.total)
    return (
        f"Spend per {each}, {period.label}: {usd(sum(sums))} in total. "
        f"Highest: {titles[highest]}, {usd(sums[highest])}. "
        f"Largest share: {largest.name}, {usd(largest.total)}."
    )
