"""Prompts out of a file or a pasted text: CSV with a header, JSON lines, or one a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

LONGEST_KEY = 200
# Longer fields than any prompt may be; the default of the library is shorter than many are.
csv.field_size_limit(100_000_000)


class Format(StrEnum):
    LINES = "lines"
    CSV = "csv"
    JSONL = "jsonl"


@dataclass(frozen=True, slots=True)
class Prompt:
    """`key` and `system` empty: it has none of its own. `line` is where it stood, from 1."""

    text: str
    system: str
    key: str
    line: int


class PromptsRefused(Exception):
    """Every fault with its line, in words that are safe to show."""

    def __init__(self, *faults: str) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


class _BadLine(Exception):
    pass


def decoded(content: bytes) -> str:
    """Raise PromptsRefused."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise PromptsRefused(
            f"Line {line:,} is not UTF-8 text. Save the file as UTF-8 and send it again."
        ) from None


def format_of(name: str) -> Format:
    """Go by the end of a file's name; anything else has one prompt a line."""
    ending = name.rpartition(".")[2].lower()
    known = {"csv": Format.CSV, "tsv": Format.CSV, "jsonl": Format.JSONL, "ndjson": Format.JSONL}
    return known.get(ending, Format.LINES)


def read(text: str, form: Format, most: int) -> list[Prompt]:
    """List the prompts; empty lines are none. Raises PromptsRefused with every faulty line."""
    found: list[Prompt] = []
    faults: list[str] = []
    keys: dict[str, int] = {}
    for line, make in _READERS[form](text):
        try:
            prompt = make()
            _check(prompt, keys)
        except _BadLine as fault:
            faults.append(f"Line {line:,}: {fault}")
        else:
            found.append(prompt)
    if len(found) > most:
        faults.insert(0, f"There are {len(found):,} prompts; a batch has at most {most:,}.")
    if not found and not faults:
        faults.append("There is no prompt in it.")
    if faults:
        raise PromptsRefused(*faults)
    return found


Lines = Iterator[tuple[int, Callable[[], Prompt]]]


def _lines(text: str) -> Lines:
    for line, said in enumerate(text.splitlines(), 1):
        if said.strip():
            yield line, partial(Prompt, said.strip(), "", "", line)


def _json_lines(text: str) -> Lines:
    # Not `splitlines`: JSON may hold line separators of Unicode as they are.
    for line, said in enumerate(text.split("\n"), 1):
        if said.strip():
            yield line, partial(_of_json, said, line)


def _of_json(said: str, line: int) -> Prompt:
    try:
        fields = json.loads(said)
    except (ValueError, RecursionError):
        raise _BadLine("this is not JSON.") from None
    if not isinstance(fields, dict):
        raise _BadLine('this is not an object such as {"prompt": "..."}.')
    return _of_fields(fields, line)


def _csv(text: str) -> Lines:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    names = [name.strip().lower() for name in rows.fieldnames or []]
    if "prompt" not in names:
        raise PromptsRefused(
            "Line 1: the header has no column `prompt`. It may also have `system` and `id`; other "
            "columns are left alone."
        )
    rows.fieldnames = names
    while True:
        line = rows.line_num + 1
        try:
            row = next(rows, None)
        except csv.Error as fault:
            raise PromptsRefused(f"Line {line:,} is not CSV: {fault}.") from None
        if row is None:
            return
        yield line, partial(_of_fields, row, line)


def _of_fields(fields: Mapping[Any, Any], line: int) -> Prompt:
    key = fields.get("id")
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    return Prompt(
        text=_text(fields.get("prompt"), "prompt"),
        system=_text(fields.get("system"), "system"),
        key=_text(key, "id").strip(),
        line=line,
    )


def _text(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _BadLine(f"`{name}` is not a text.")
    return value


def _check(prompt: Prompt, keys: dict[str, int]) -> None:
    if not prompt.text.strip():
        raise _BadLine("the prompt is empty.")
    for text in (prompt.text, prompt.system, prompt.key):
        if "\x00" in text or not _is_whole(text):
            raise _BadLine("it holds a character that cannot be stored.")
    if len(prompt.key) > LONGEST_KEY:
        raise _BadLine(f"the id has {len(prompt.key):,} characters; at most {LONGEST_KEY}.")
    if prompt.key and keys.setdefault(prompt.key, prompt.line) != prompt.line:
        raise _BadLine(f"the id {prompt.key!r} is also that of line {keys[prompt.key]:,}.")


def _is_whole(text: str) -> bool:
    """Tell whether it has no halves of surrogate pairs, which JSON can name."""
    return text.isascii() or text == text.encode("utf-8", "replace").decode()


_READERS: Mapping[Format, Callable[[str], Lines]] = {
    Format.LINES: _lines,
    Format.CSV: _csv,
    Format.JSONL: _json_lines,
}
