"""The table at the end of a test run: precision and recall of each detector."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

PROPERTY = "detector"
"""Name of the property by which a test tells a detector's score, as `kind/right/wrong/missed`."""


def lines(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Make none where no detector was scored."""
    rows = [
        str(value).split("/")
        for report in reports
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if not rows:
        return []
    titles = f"{'right':>6} {'wrong':>6} {'missed':>7} {'precision':>10} {'recall':>7}"
    head = f"  {'detector':<12} {titles}"
    return [head, *(_line(kind, *map(int, counts)) for kind, *counts in sorted(rows))]


def _line(kind: str, right: int, wrong: int, missed: int) -> str:
    precision, recall = right / max(right + wrong, 1), right / max(right + missed, 1)
    return f"  {kind:<12} {right:>6} {wrong:>6} {missed:>7} {precision:>10.3f} {recall:>7.3f}"
