"""The tables of docs/engine.md, written by `make docs`; the text around them is by hand."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "engine.md"


def rendered(text: str) -> str:
    for name, table in (("steps", _steps()), ("events", _events()), ("wires", _wires())):
        begin, end = f"<!-- {name}: made by `make docs` -->", f"<!-- end of {name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.partition(end)[2]}"
    return text


def _steps() -> str:
    from providers.engine import pipeline

    found = re.findall(
        r"^    (\w+(?: \(\w+ \w+\))?) {2,}(.+)$", pipeline.__doc__ or "", re.MULTILINE
    )
    lines = [f"| {place} | {name} | {does} |" for place, (name, does) in enumerate(found, start=1)]
    return "\n".join(["| | step | what it does |", "|---|---|---|", *lines])


def _events() -> str:
    from providers.engine.events_v1 import ERROR, NAMES, fault, payload

    lines = ["| type | its own fields | what it means |", "|---|---|---|"]
    for sample in _samples():
        fields = ", ".join(f"`{field}`" for field in payload(sample))
        meaning = " ".join((type(sample).__doc__ or "").split()).replace("cost_nano", "cost_usd")
        lines.append(f"| `{NAMES[type(sample)]}` | {fields} | {meaning} |")
    fields = ", ".join(f"`{field}`" for field in fault(ValueError()))
    lines.append(f"| `{ERROR}` | {fields} | The other end: what went wrong, see errors.md. |")
    return "\n".join(lines)


def _samples() -> list[Any]:
    """Make one of each event, in the order of their names."""
    from providers.engine import events as e
    from providers.engine.events_v1 import NAMES
    from providers.engine.request import ToolCall, ToolResult

    call, reason = ToolCall("c", "look", "{}"), e.FinishReason.STOP
    made: dict[type[Any], Any] = {
        e.Start: e.Start("p/m", 1),
        e.TextDelta: e.TextDelta("Hi"),
        e.ReasoningDelta: e.ReasoningDelta("Hm"),
        e.ToolCallDelta: e.ToolCallDelta(0, "{"),
        e.ToolCalled: e.ToolCalled(0, call),
        e.ToolResulted: e.ToolResulted("look", ToolResult("c", "sky")),
        e.Citations: e.Citations(()),
        e.Safety: e.Safety("", ""),
        e.StepEnded: e.StepEnded(1, "Hi", (call,), (), None, None, 1, reason),
        e.Notice: e.Notice(e.NoticeKind.RETRY, ""),
        e.UsageReported: e.UsageReported(_usage()),
        e.Finish: e.Finish(reason),
    }
    return [made[kind] for kind in NAMES]


def _usage() -> Any:
    from providers.engine.usage import Usage

    return Usage(1, 1)


def _wires() -> str:
    from providers.engine.routes import KINDS

    rows = [
        f"| `{name}` | {kind.label} | {kind.base_url or 'none'} | "
        f"{'yes' if kind.needs_key else 'no'} |"
        for name, kind in KINDS.items()
    ]
    head = "| kind | as operators read it | usual address | needs a key |"
    return "\n".join([head, "|---|---|---|---|", *rows])


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PLACE.write_text(rendered(PLACE.read_text()))
