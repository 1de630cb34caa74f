"""docs/metrics.md is what the code registers."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_metrics_lists_exactly_those_there_are() -> None:
    made = runpy.run_path(str(DOCS / "metrics.py"))["rendered"]()
    assert (DOCS / "metrics.md").read_text() == made, "run `make docs`"
