"""The README's table of settings, written by `python -m gaiweb.config.table`."""

from __future__ import annotations

import re
from pathlib import Path

from gaiweb.config import names
from gaiweb.config.model import BASE_DIR, Config

_BEGIN, _END = "<!-- settings: made by `make docs` -->", "<!-- end of settings -->"


def rendered() -> str:
    lines = ["| name | default | meaning |", "|---|---|---|"]
    lines += [_row(entry) for entry in names.declared(Config)]
    return "\n".join(lines)


def documented(readme: str) -> str:
    """Return the table as it stands in the text, "" when it has none."""
    found = re.search(f"{re.escape(_BEGIN)}\n(.*?)\n{re.escape(_END)}", readme, re.DOTALL)
    return found[1] if found else ""


def replaced(readme: str) -> str:
    begin, end = readme.index(_BEGIN) + len(_BEGIN), readme.index(_END)
    return f"{readme[:begin]}\n{rendered()}\n{readme[end:]}"


def _row(entry: names.Declared) -> str:
    default = f"`{entry.default}`" if _is_a_value(entry) else entry.default
    marks = [("secret", entry.is_secret), ("takes a restart", not entry.is_live)]
    mark = ", ".join(word for word, is_on in marks if is_on)
    return f"| `{entry.name}` | {default} | {entry.meaning}{f' ({mark})' if mark else ''} |"


def _is_a_value(entry: names.Declared) -> bool:
    return bool(entry.default) and " " not in entry.default


def main(readme: Path = BASE_DIR / "README.md") -> None:
    readme.write_text(replaced(readme.read_text()))


if __name__ == "__main__":
    main()
