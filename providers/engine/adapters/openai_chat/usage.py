"""The token counts of Chat Completions servers, wherever each of them puts them."""

from __future__ import annotations

from providers.engine.json_fields import Fields, count, inner
from providers.engine.usage import Usage


def usage_in(piece: Fields) -> Usage | None:
    """Read usage wherever it stands; each later figure replaces the one before."""
    said = piece.get("usage")
    if not isinstance(said, dict):
        # Groq's streams.
        said = inner(piece, "x_groq").get("usage")
    if not isinstance(said, dict):
        return None
    return _usage({"usage": said})


def _usage(holder: Fields) -> Usage:
    fields = inner(holder, "usage")
    before = inner(fields, "prompt_tokens_details")
    after = inner(fields, "completion_tokens_details")
    served = inner(fields, "server_tool_use_details")
    prompt = count(fields, "prompt_tokens")
    # OpenRouter counts searches by the way of the model's maker, Perplexity its own.
    searches = count(served, "web_search_requests") or count(fields, "num_search_queries")
    return Usage(
        input_tokens=prompt,
        # xAI and Gemini count reasoning into the total only.
        output_tokens=max(
            count(fields, "completion_tokens"), count(fields, "total_tokens") - prompt
        ),
        cache_read_tokens=count(before, "cached_tokens")
        or count(fields, "prompt_cache_hit_tokens"),
        cache_write_tokens=count(before, "cache_write_tokens"),
        reasoning_tokens=count(after, "reasoning_tokens"),
        input_audio_tokens=count(before, "audio_tokens"),
        output_audio_tokens=count(after, "audio_tokens"),
        web_searches=searches,
        server_tool_calls=max(count(served, "tool_calls_executed"), searches),
    )
