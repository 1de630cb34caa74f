"""The lines of a run's log, as they are stored and as a tail sends them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """Names of `gai.events.v1`; `status` and `snapshot` are the page's own."""

    STATUS = "status"
    START = "start"
    TEXT = "text.delta"
    REASONING = "reasoning.delta"
    TOOL_CALL = "tool.call"
    TOOL_RESULT = "tool.result"
    STEP = "step.end"
    CITATIONS = "citations"
    NOTICE = "notice"
    USAGE = "usage"
    FINISH = "finish"
    ERROR = "error"
    SNAPSHOT = "snapshot"


DELTAS = (Kind.TEXT, Kind.REASONING)
STEPS = (Kind.TOOL_CALL, Kind.TOOL_RESULT, Kind.STEP)
"""What a tool loop is told by, in the order in which it happens."""
TERMINAL = (Kind.FINISH, Kind.ERROR)


@dataclass(frozen=True, slots=True)
class LogEvent:
    """`seq` counts from 1 in each run, without gaps."""

    seq: int
    kind: Kind
    data: dict[str, Any]

    @property
    def is_terminal(self) -> bool:
        return self.kind in TERMINAL


def snapshot(events: Sequence[LogEvent]) -> LogEvent:
    """Fold what has happened so far into one event that carries the number of the last."""
    data: dict[str, Any] = {"phase": "waiting", "start": None, "notices": [], "steps": []}
    for event in events:
        match event.kind:
            case Kind.STATUS:
                data["phase"] = event.data["phase"]
            case Kind.START:
                data["start"] = event.data
                data["phase"] = "streaming"
            case Kind.NOTICE:
                data["notices"].append(event.data)
            case kind if kind in STEPS:
                data["steps"].append({"kind": kind, **event.data})
            case _:
                pass
    data["text"] = joined(events, Kind.TEXT)
    data["reasoning"] = joined(events, Kind.REASONING)
    return LogEvent(events[-1].seq, Kind.SNAPSHOT, data)


def joined(events: Sequence[LogEvent], kind: Kind) -> str:
    return "".join(event.data["text"] for event in events if event.kind is kind)
