"""Chat Completions bodies, of OpenAI and of everybody who speaks its wire."""

from __future__ import annotations

import json
from typing import Any

from tests.engine.adapters.recorded.said import Called, Counts, Said, frames

_ERRORS = {400: "UpstreamRejected", 404: "UpstreamMisconfigured", 429: "UpstreamThrottled"}
_ENDS = {"stop": "stop", "eos": "stop", "length": "length", "tool_calls": "tool_calls"}


def expected(recording: dict[str, Any]) -> Said:
    response = recording["response"]
    if response["status"] != 200:
        return Said(error=_ERRORS[response["status"]])
    body = response["body"]
    pieces = frames(body) if recording["stream"] else [json.loads(body)]
    deltas = [
        choice.get("delta") or choice.get("message") or {}
        for piece in pieces
        for choice in piece.get("choices", [])
    ]
    calls = _calls(deltas)
    # Groq names the status within the stream.
    failed = [piece["error"]["status_code"] for piece in pieces if piece.get("error")]
    return Said(
        text="".join(_text(delta.get("content")) for delta in deltas),
        reasoning="".join(
            delta.get("reasoning_content") or delta.get("reasoning") or "" for delta in deltas
        ),
        refusal="".join(delta.get("refusal") or "" for delta in deltas),
        calls=calls,
        finish=None if failed else _finish(pieces),
        usage=_usage(pieces),
        error=_ERRORS[failed[0]] if failed else None,
    )


def _text(content: Any) -> str:
    return content if isinstance(content, str) else ""


def _calls(deltas: list[dict[str, Any]]) -> tuple[Called, ...]:
    calls: dict[Any, list[str]] = {}
    for delta in deltas:
        for place, call in enumerate(delta.get("tool_calls") or []):
            # Some send every call whole and under index 0; their ids tell them apart.
            fresh = bool(call.get("id")) and call["id"] not in {
                known[0] for known in calls.values()
            }
            index = len(calls) if fresh and call.get("index") in calls else call.get("index", place)
            if len(calls) > 1 and not call.get("id") and call.get("index") is None:
                index = place
            known = calls.setdefault(index, ["", "", ""])
            function = call["function"]
            known[0] = known[0] or call.get("id") or ""
            known[1] = known[1] or function.get("name") or ""
            known[2] += function.get("arguments") or ""
    return tuple(Called.of(*call) for call in calls.values())


def _finish(pieces: list[dict[str, Any]]) -> str:
    (reason,) = {
        choice["finish_reason"]
        for piece in pieces
        for choice in piece.get("choices", [])
        if choice.get("finish_reason")
    }
    return _ENDS[reason]


def _usage(pieces: list[dict[str, Any]]) -> Counts | None:
    said = [piece["usage"] for piece in pieces if piece.get("usage")]
    said = said or [piece["x_groq"]["usage"] for piece in pieces if _is_groq(piece)]
    if not said:
        return None
    usage = said[-1]
    before = usage.get("prompt_tokens_details") or {}
    after = usage.get("completion_tokens_details") or {}
    prompt = usage["prompt_tokens"]
    return Counts(
        input=prompt,
        # Gemini counts its thoughts into the total only, and bills them as output.
        output=max(usage["completion_tokens"], usage["total_tokens"] - prompt),
        cache_read=before.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or 0,
        cache_write=before.get("cache_write_tokens") or 0,
        reasoning=after.get("reasoning_tokens") or 0,
    )


def _is_groq(piece: dict[str, Any]) -> bool:
    return bool((piece.get("x_groq") or {}).get("usage"))
