"""What a prompt may hold or set off beyond its text, so that the hold on the budgets covers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.engine.json_fields import objects
from providers.engine.request import Audio, CompletionRequest, File

# No model that takes files on these wires has a larger window, and pages cannot be counted here: a
# small file may hold many of them, each read as text and as an image.
_LARGEST_WINDOW = 1_050_000
# A server's search tool without a limit of its own gets this one.
MOST_SEARCHES = 5


def may_hold_audio(request: CompletionRequest) -> bool:
    """Whether prompt or answer can hold sound; fields that we only pass on may ask for it."""
    if any(isinstance(part, Audio | File) for each in request.messages for part in each.parts):
        return True
    return any("audio" in fields or "modalities" in fields for fields in _passed(request))


def file_tokens(request: CompletionRequest) -> int:
    """Tokens that all files of the prompt may become; 0 where it has none."""
    has_files = any(isinstance(part, File) for each in request.messages for part in each.parts)
    return _LARGEST_WINDOW if has_files else 0


def search_bound(request: CompletionRequest) -> int:
    """Count the searches that a provider may make for this prompt and bill one by one.

    Only fields that we pass on can ask for them: OpenAI's `web_search_options`, or a server's own
    tool, which tells its `max_uses`.
    """
    return sum(
        ("web_search_options" in fields) + sum(map(_searches_of, objects(fields.get("tools"))))
        for fields in _passed(request)
    )


def is_search(tool: Mapping[str, Any]) -> bool:
    return str(tool.get("type", "")).startswith("web_search")


def _searches_of(tool: Mapping[str, Any]) -> int:
    if not is_search(tool):
        return 0
    most = tool.get("max_uses")
    return most if isinstance(most, int) and most > 0 else MOST_SEARCHES


def _passed(request: CompletionRequest) -> list[Mapping[str, Any]]:
    """List what goes upstream as it came: the raw body, and each provider's own options."""
    raw = [] if request.raw is None else [request.raw.body]
    return [*raw, *request.provider_options.values()]
