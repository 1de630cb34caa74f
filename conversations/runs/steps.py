"""A tool loop as lines of a run's log: what was called, what came back, what each step used."""

from __future__ import annotations

from typing import Any

from conversations.runs.events import Kind
from providers.engine.events import Event, StepEnded, ToolCalled, ToolResulted

MOST_CHARACTERS = 8_000
"""Of arguments and results that are kept to be shown; the model got all of them."""

Line = tuple[Kind, dict[str, Any]]


def line_of(event: Event) -> Line | None:
    """None: it is no event of a loop."""
    match event:
        case ToolCalled(_, call):
            told = {"id": call.id, "name": call.name, "arguments": _shown(call.arguments)}
            return Kind.TOOL_CALL, told
        case ToolResulted(name, result, duration_ms):
            return Kind.TOOL_RESULT, {
                "id": result.call_id,
                "name": name,
                "content": _shown(result.content),
                "is_error": result.is_error,
                "duration_ms": duration_ms,
            }
        case StepEnded() as step:
            return Kind.STEP, _figures(step)
        case _:
            return None


def storable(text: str) -> str:
    """Replace what Postgres cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def _figures(step: StepEnded) -> dict[str, Any]:
    usage = step.usage
    return {
        "number": step.number,
        "calls": len(step.calls),
        "input_tokens": usage.input_tokens if usage else None,
        "output_tokens": usage.output_tokens if usage else None,
        "cost_nano": step.cost_nano,
        "duration_ms": step.duration_ms,
    }


def _shown(text: str) -> str:
    text = storable(text)
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n… {len(text) - MOST_CHARACTERS:,} more characters"
