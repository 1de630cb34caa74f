"""docs/errors.md is the table of the code."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_of_errors_lists_exactly_the_rows_there_are() -> None:
    made = runpy.run_path(str(DOCS / "errors.py"))["rendered"]()
    assert (DOCS / "errors.md").read_text() == made, "run `make docs`"
