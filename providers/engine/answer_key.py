"""Under which key an answer may be kept for the next who asks the same, and whether at all."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, cast

from providers.engine.call import Call, input_bytes
from providers.engine.policy import Policy
from providers.engine.ports import AnswerKey
from providers.engine.request import Caching, CompletionRequest, RawBody, ToolCall, ToolResult

MOST_TEMPERATURE = 0.8
MOST_INPUT_BYTES = 1_000_000
# They say how the answer is to be sent or counted, never what it is.
_MANNER = frozenset({"id", "stream", "idempotency_key", "metadata", "traceparent", "cache", "raw"})
_RAW_MANNER = frozenset({"stream", "stream_options", "metadata"})
# Fields of wires by which a provider runs tools of its own.
_RAW_TOOLS = ("tools", "functions", "web_search_options", "mcp_servers")


def key_of(call: Call, secret: bytes, policy: Policy) -> AnswerKey | None:
    """None: nobody's team pays, the answer may differ each time, or it has no canonical form.

    Two prompts share a key only where all that the answer hangs on is the same.
    """
    request, team_id = call.request, call.caller.team_id
    if team_id is None or not _is_answered_alike(request):
        return None
    if input_bytes(request) > MOST_INPUT_BYTES:
        return None
    facts = {
        "team": team_id,
        "route": call.route.name,
        "deployments": sorted(f"{each.name} {each.base_url}" for each in call.route.deployments),
        "request": _fields(request, _MANNER),
        "raw": None if request.raw is None else _raw(request.raw),
        "safety": _safety(policy),
    }
    try:
        canonical = json.dumps(_plain(facts), sort_keys=True, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        return None
    return AnswerKey(hmac.digest(secret, canonical, "sha256"), team_id, call.route.name)


def _is_answered_alike(request: CompletionRequest) -> bool:
    is_steady = request.temperature is not None and request.temperature <= MOST_TEMPERATURE
    is_wanted = request.cache is Caching.ON or (request.cache is None and is_steady)
    return is_wanted and request.choices == 1 and not _has_tools(request)


def _has_tools(request: CompletionRequest) -> bool:
    bodies = list(request.provider_options.values())
    if request.raw is not None:
        bodies.append(request.raw.body)
    return (
        bool(request.tools)
        or any(body.get(name) for body in bodies for name in _RAW_TOOLS)
        or any(
            isinstance(part, (ToolCall, ToolResult))
            for message in request.messages
            for part in message.parts
        )
    )


def _safety(policy: Policy) -> dict[str, Any]:
    return {name: value for name, value in _fields(policy).items() if name.startswith("pii_")}


def _raw(raw: RawBody) -> dict[str, Any]:
    body = {name: value for name, value in raw.body.items() if name not in _RAW_MANNER}
    return {"wire": raw.wire, "headers": raw.headers, "body": body}


def _plain(value: Any) -> Any:
    """Reduce to JSON without loss. Raises TypeError for what JSON would fold into something else.

    A dataclass carries its name: a text and a refusal of the same words are two things.
    """
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Mapping):
        return _mapping(cast("Mapping[object, Any]", value))
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in cast("list[Any]", value)]
    if is_dataclass(value):
        return {type(value).__name__: _plain(_fields(value))}
    raise TypeError(f"{type(value).__name__} has no canonical form.")


def _mapping(value: Mapping[object, Any]) -> dict[object, Any]:
    if not all(isinstance(name, str) for name in value):
        raise TypeError("JSON would make text of a name that is none.")
    return {name: _plain(each) for name, each in value.items()}


def _fields(value: Any, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    return {
        each.name: getattr(value, each.name) for each in fields(value) if each.name not in without
    }
