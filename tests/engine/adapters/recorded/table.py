"""The table at the end of a test run: exchanges a wire, passed and failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

PROPERTY = "exchange"
"""Name of the property by which a test says which recording it has played, as `wire/file`."""


def lines(reports: Iterable[pytest.TestReport]) -> list[str]:
    """Make none where no recording was played. One failed test fails its exchange."""
    good: dict[str, dict[str, bool]] = defaultdict(dict)
    for report in reports:
        for name, value in report.user_properties:
            if name == PROPERTY:
                wire, _, file = str(value).partition("/")
                good[wire][file] = good[wire].get(file, True) and report.passed
    if not good:
        return []
    rows = [(wire, len(files), sum(files.values())) for wire, files in sorted(good.items())]
    rows.append(("all", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    head = f"  {'wire':<20} {'exchanges':>9} {'passed':>7} {'failed':>7}"
    body = [f"  {wire:<20} {all:>9} {ok:>7} {all - ok:>7}" for wire, all, ok in rows]
    return [head, *body]
