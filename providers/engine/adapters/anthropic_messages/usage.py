"""The token counts of a Messages answer, which come in pieces."""

from __future__ import annotations

from providers.engine.json_fields import Fields, count, inner
from providers.engine.usage import Usage

# Server tools whose calls are counted; of them only searches are billed one by one.
_SERVED = ("web_search_requests", "web_fetch_requests", "code_execution_requests")


class Counts:
    """What is new overwrites: the figures of `message_delta` are cumulative.

    Source: Anthropic, "Streaming Messages": adding them to `message_start` counts twice.
    """

    def __init__(self) -> None:
        self._said: Fields = {}

    def take(self, said: Fields) -> Usage | None:
        self._said.update((name, value) for name, value in said.items() if value is not None)
        return _usage(self._said) if self._said else None


def _usage(said: Fields) -> Usage:
    read = count(said, "cache_read_input_tokens")
    written = count(said, "cache_creation_input_tokens")
    served = inner(said, "server_tool_use")
    return Usage(
        input_tokens=count(said, "input_tokens") + read + written,
        output_tokens=count(said, "output_tokens"),
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=count(inner(said, "cache_creation"), "ephemeral_1h_input_tokens"),
        reasoning_tokens=count(inner(said, "output_tokens_details"), "thinking_tokens"),
        web_searches=count(served, "web_search_requests"),
        server_tool_calls=sum(count(served, name) for name in _SERVED),
    )
