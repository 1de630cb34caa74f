"""Spend of a period as stacked bars: the dearest groups in colour, the rest in grey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from providers.ledger.money import usd
from providers.reports.charts import Series, StackedBars, stacked_bars
from providers.reports.periods import Bucket, Period
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
    bucket: Bucket


@dataclass(frozen=True, slots=True)
class _Column:
    label: str
    title: str
    costs: Mapping[str, int]


def cost_chart(period: Period, spending: Spending, by_hour: CostsByHour | None) -> CostChart:
    """Draw what the period's bucket says; hours are drawn of `by_hour`, all else of the days."""
    paid = [one for one in spending.groups if one.figures.cost_nano > 0]
    css = {one.key: f"series-{number}" for number, one in enumerate(paid[:COLOURS], start=1)}
    columns = _days(period, spending) if by_hour is None else _hours(period, by_hour)
    # Corrections may leave less than nothing; it is part of the sum all the same.
    rest = paid[COLOURS:] + [one for one in spending.groups if one.figures.cost_nano < 0]
    series = _series(paid[:COLOURS], rest, [column.costs for column in columns])
    titles = [column.title for column in columns]
    return CostChart(
        bars=stacked_bars([column.label for column in columns], series, _short, titles=titles),
        series=series,
        css=css,
        slots=tuple(
            Slot(title, tuple(one.values[index] for one in series))
            for index, title in enumerate(titles)
        ),
        summary=_summary(period, series, titles),
        bucket=period.bucket,
    )


def _hours(period: Period, by_hour: CostsByHour) -> list[_Column]:
    several = period.span.first != period.span.last
    return [
        _Column(
            f"{hour:%H:%M}",
            f"{hour.day} {hour:%b}, {hour:%H:%M}" if several else f"{hour:%H:%M}",
            by_hour.get(number, {}),
        )
        for number, hour in enumerate(period.hours())
    ]


def _days(period: Period, spending: Spending) -> list[_Column]:
    costs: dict[date, Counter[str]] = {}
    for day in spending.days:
        costs.setdefault(period.bucket.start_of(day.day), Counter()).update(day.costs)
    return [_Column(*_words(period.bucket, start), found) for start, found in costs.items()]


def _words(bucket: Bucket, start: date) -> tuple[str, str]:
    if bucket is Bucket.MONTH:
        return f"{start:%b}", f"{start:%b %Y}"
    full = f"{start:%a} {start.day} {start:%b %Y}"
    return f"{start.day} {start:%b}", f"Week of {full}" if bucket is Bucket.WEEK else full


def _series(
    top: Sequence[GroupSpend], rest: Sequence[GroupSpend], costs: Sequence[Mapping[str, int]]
) -> tuple[Series, ...]:
    series = [
        Series(one.label, f"series-{number}", [at.get(one.key, 0) for at in costs])
        for number, one in enumerate(top, start=1)
    ]
    if rest:
        values = [sum(at.get(one.key, 0) for one in rest) for at in costs]
        series.append(Series("Other", "series-other", values))
    return tuple(series)


def _short(nano: int) -> str:
    return usd(nano).removesuffix(".00")


def _summary(period: Period, series: Sequence[Series], titles: Sequence[str]) -> str:
    each = f"Spend per {period.bucket}, {period.label}"
    sums = [sum(values) for values in zip(*(one.values for one in series), strict=True)]
    if not sums:
        return f"{each}: nothing."
    highest = max(range(len(sums)), key=sums.__getitem__)
    largest = max(series, key=lambda one: one.total)
    return (
        f"{each}: {usd(sum(sums))} in total. "
        f"Highest: {titles[highest]}, {usd(sums[highest])}. "
        f"Largest share: {largest.name}, {usd(largest.total)}."
    )
