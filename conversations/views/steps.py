"""A tool loop as a reader sees it: steps, and in each its calls with what came back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from conversations.runs.events import Kind

_SHORT = 80


@dataclass
class Called:
    """`content` None: no result came, since the run ended first. Durations in milliseconds."""

    name: str
    arguments: str
    content: str | None = None
    is_error: bool = False
    duration_ms: int | None = None

    @property
    def asked(self) -> str:
        return _short(self.arguments)

    @property
    def answered(self) -> str:
        return _short(self.content or "")


@dataclass
class Step:
    """Figures None: not known, or the step did not end."""

    number: int
    calls: list[Called] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost_nano: int | None = None
    duration_ms: int | None = None


@dataclass(frozen=True)
class Citation:
    """`url` empty: the source has no address that is safe to follow."""

    url: str
    title: str
    quoted: str


def steps_of(lines: Sequence[Mapping[str, Any]]) -> tuple[Step, ...]:
    """Empty where no tool was called: a single step is the answer itself."""
    steps = [Step(1)]
    by_id: dict[str, Called] = {}
    for line in lines:
        match line["kind"]:
            case Kind.TOOL_CALL:
                called = Called(line["name"], line["arguments"])
                steps[-1].calls.append(called)
                by_id[line["id"]] = called
            case Kind.TOOL_RESULT:
                _answer(by_id.get(line["id"]), line)
            case _:
                _close(steps, line)
    if not by_id:
        return ()
    return tuple(step for step in steps if step.calls or step.duration_ms is not None)


def citations_of(lines: Iterable[Mapping[str, Any]]) -> tuple[Citation, ...]:
    """Each source once."""
    found = {
        (_safe(line["url"]), line["title"]): Citation(
            _safe(line["url"]), line["title"] or line["url"], line["quoted"]
        )
        for line in lines
    }
    return tuple(found.values())


def _answer(called: Called | None, line: Mapping[str, Any]) -> None:
    if called is not None:
        called.content = line["content"]
        called.is_error = line["is_error"]
        called.duration_ms = line["duration_ms"]


def _close(steps: list[Step], line: Mapping[str, Any]) -> None:
    step = steps[-1]
    for name in ("input_tokens", "output_tokens", "cost_nano", "duration_ms"):
        setattr(step, name, line[name])
    steps.append(Step(step.number + 1))


def _safe(url: str) -> str:
    return url if urlsplit(url).scheme in {"http", "https"} else ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHORT else line[: _SHORT - 1] + "…"
