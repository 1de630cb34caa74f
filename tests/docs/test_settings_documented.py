"""The README's table of settings is the one that the code declares."""

from __future__ import annotations

from pathlib import Path

from gaiweb.config import table

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_lists_exactly_the_settings_there_are() -> None:
    assert table.documented(README.read_text()) == table.rendered(), "run `make docs`"
