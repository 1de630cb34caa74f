"""docs/engine.md: its tables are the code's, and every file that it names is there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "engine.md").read_text()


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    assert runpy.run_path(str(ROOT / "docs" / "engine.py"))["rendered"](PAGE) == PAGE, (
        "run `make docs`"
    )


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:providers|tests|benchmarks)/[\w/.]+)`", PAGE)))
)
def test_every_file_that_the_page_names_is_there(path: str) -> None:
    assert (ROOT / path).exists()
