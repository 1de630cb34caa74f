"""Geometry of charts: numbers in, places out. Templates draw them as SVG without a style.

Across, places are percentages of the width, so that a chart fits any screen while its text keeps
its size; down, they are pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor, log10

Words = Callable[[int], str]

WIDE_LABELS = 10
NARROW_LABELS = 4
MOST_STEPS = 5


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the stack; `css` is its class, `values` one for each bar."""

    name: str
    css: str
    values: Sequence[int]

    @property
    def total(self) -> int:
        return sum(self.values)


@dataclass(frozen=True, slots=True)
class Label:
    """`on_narrow`: also where there is room for few."""

    x: float
    text: str
    on_narrow: bool


@dataclass(frozen=True, slots=True)
class Segment:
    y: float
    height: float
    css: str
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """`title` names the whole bar; it is shown where no segment is under the pointer."""

    x: float
    width: float
    slot_x: float
    slot_width: float
    title: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class StackedBars:
    """`baseline` is the y of zero; labels stand below it."""

    height: int
    baseline: float
    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    labels: tuple[Label, ...]


def stacked_bars(
    labels: Sequence[str],
    series: Sequence[Series],
    words: Words,
    *,
    titles: Sequence[str] | None = None,
    height: int = 240,
) -> StackedBars:
    """Stack the first series lowest. `titles` are longer names of the bars for tooltips."""
    top, baseline = 12.0, height - 24.0
    sums = [sum(values) for values in zip(*(one.values for one in series), strict=True)]
    ceiling, step = scale(max(sums, default=0))
    per_unit = (baseline - top) / ceiling
    slot = 100 / max(1, len(labels))
    bars = tuple(
        Bar(
            x=_round(index * slot + slot * 0.14),
            width=_round(slot * 0.72),
            slot_x=_round(index * slot),
            slot_width=_round(slot),
            title=f"{title}: {words(sums[index]) if sums else words(0)}",
            segments=_segments(series, index, (title, words), (baseline, per_unit)),
        )
        for index, title in enumerate(titles or labels)
    )
    return StackedBars(
        height,
        baseline,
        bars,
        _ticks(ceiling, step, words, (baseline, per_unit)),
        _labels(labels, slot),
    )


def scale(highest: int) -> tuple[int, int]:
    """Give the top of the axis and its step: 1, 2 or 5 times a power of ten, few steps."""
    if highest <= 0:
        return 1, 1
    step = next(step for step in _steps(highest) if -(-highest // step) <= MOST_STEPS)
    return step * -(-highest // step), step


def _steps(highest: int) -> list[int]:
    power = 10 ** max(0, floor(log10(highest)) - 1)
    return [power * factor for factor in (1, 2, 5, 10, 20, 50, 100)]


def _segments(
    series: Sequence[Series],
    index: int,
    bar: tuple[str, Words],
    place: tuple[float, float],
) -> tuple[Segment, ...]:
    title, words = bar
    baseline, per_unit = place
    found: list[Segment] = []
    below = 0
    for one in series:
        value = one.values[index]
        if value > 0:
            # Edges are rounded, not heights, so that neighbours touch.
            foot = _round(baseline - below * per_unit)
            below += value
            y = _round(baseline - below * per_unit)
            found.append(
                Segment(
                    y=y,
                    height=_round(foot - y),
                    css=one.css,
                    title=f"{title}, {one.name}: {words(value)}",
                )
            )
    return tuple(found)


def _ticks(ceiling: int, step: int, words: Words, place: tuple[float, float]) -> tuple[Tick, ...]:
    baseline, per_unit = place
    return tuple(
        Tick(_round(baseline - value * per_unit), words(value))
        for value in range(step, ceiling + 1, step)
    )


def _labels(labels: Sequence[str], slot: float) -> tuple[Label, ...]:
    wide, narrow = _every(len(labels), WIDE_LABELS), _every(len(labels), NARROW_LABELS)
    narrow = -(-narrow // wide) * wide
    return tuple(
        Label(_round(index * slot + slot / 2), text, on_narrow=index % narrow == 0)
        for index, text in enumerate(labels)
        if index % wide == 0
    )


def _every(count: int, most: int) -> int:
    return max(1, -(-count // most))


def _round(number: float) -> float:
    return round(number, 2)
