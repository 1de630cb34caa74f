"""Messages as the wire has them: one for each tool result, plain text where it is only text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from providers.engine.adapters.openai_chat.quirks import Quirks
from providers.engine.data_urls import inline
from providers.engine.errors import InvalidRequest
from providers.engine.request import (
    Audio,
    File,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

KIND = "openai_chat"
# Source: OpenAI, API reference, "Create chat completion": `format` is wav or mp3.
_AUDIO = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}

Body = dict[str, Any]


def entries(message: Message, path: str, quirks: Quirks) -> Iterator[Body]:
    """Spread one message over the wire's; `path` names it. Raises InvalidRequest."""
    for part in message.parts:
        if isinstance(part, ToolResult):
            yield {"role": "tool", "tool_call_id": part.call_id, "content": part.content}
    if message.role is Role.ASSISTANT:
        yield _assistant(message, quirks)
        return
    content = _content(message, path, quirks)
    if content is None or message.role is Role.TOOL:
        return
    role = message.role
    if role is Role.DEVELOPER and quirks.developer_role != "on":
        role = Role.SYSTEM
    yield {"role": str(role), "content": content}


def _assistant(message: Message, quirks: Quirks) -> Body:
    refusal = "".join(part.text for part in message.parts if isinstance(part, Refusal))
    calls = [_tool_call(part) for part in message.parts if isinstance(part, ToolCall)]
    has_field = bool(refusal) and quirks.refusals == "on"
    text = message.text if has_field else message.text + refusal
    may_be_null = bool(calls) or has_field
    entry: Body = {"role": "assistant", "content": text or (None if may_be_null else "")}
    if has_field:
        entry["refusal"] = refusal
    if calls:
        entry["tool_calls"] = calls
    entry.update(_thoughts(message, quirks, has_calls=bool(calls)))
    return entry


def _thoughts(message: Message, quirks: Quirks, *, has_calls: bool) -> Body:
    """Send back what this wire's model thought, where the server wants it.

    DeepSeek refuses a turn with tool calls whose `reasoning_content` is missing, empty or not.
    Source: DeepSeek, "Thinking Mode", multi-turn conversation with tool calls.
    """
    field = quirks.reasoning_replay
    if field == "off":
        return {}
    own = [p for p in message.parts if isinstance(p, Reasoning) and p.wire in {None, KIND}]
    if field == "reasoning_details":
        sealed = [detail for part in own for detail in _details(part)]
        return {field: sealed} if sealed else {}
    thought = "".join(part.text for part in own)
    return {field: thought} if thought or has_calls else {}


def _details(part: Reasoning) -> list[Any]:
    if part.signature is None or part.wire != KIND:
        return []
    try:
        found: object = orjson.loads(part.signature)
    except orjson.JSONDecodeError:
        return []
    return list(found) if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _content(message: Message, path: str, quirks: Quirks) -> str | list[Body] | None:
    """Plain text where there is nothing else, since not every server takes a list."""
    if all(isinstance(part, Text | ToolResult) for part in message.parts):
        return message.text or None
    made = [
        _part(part, f"{path}.content.{place}", quirks)
        for place, part in enumerate(message.parts)
        if not isinstance(part, ToolResult)
    ]
    return [part for part in made if part is not None]


def _part(part: Part, path: str, quirks: Quirks) -> Body | None:
    match part:
        case Text(text) | Refusal(text):
            return {"type": "text", "text": text}
        case Image():
            return _image(part, path)
        case Audio():
            return _audio(part, path)
        case File():
            return _file(part, path, quirks)
        case _:
            return None


def _image(part: Image, path: str) -> Body:
    if part.file_id is not None:
        raise InvalidRequest("This wire takes an image as a URL, not as a file's id.", param=path)
    image: Body = {"url": part.url}
    if part.detail is not None:
        image["detail"] = part.detail
    return {"type": "image_url", "image_url": image}


def _audio(part: Audio, path: str) -> Body:
    sound = inline(part.url, "audio") if part.file_id is None else None
    format = _AUDIO.get(sound.media_type) if sound is not None else None
    if sound is None or format is None:
        raise InvalidRequest(
            "This wire takes audio as a data URL of type audio/wav or audio/mpeg.", param=path
        )
    return {"type": "input_audio", "input_audio": {"data": sound.data, "format": format}}


def _file(part: File, path: str, quirks: Quirks) -> Body:
    if part.file_id is not None:
        return {"type": "file", "file": {"file_id": part.file_id}}
    if quirks.file_part == "document_url":
        return {"type": "document_url", "document_url": part.url}
    if quirks.file_part != "url" and inline(part.url, "file") is None:
        raise InvalidRequest(
            "This wire takes a file as a data URL or a file's id, not as an address.", param=path
        )
    return {
        "type": "file",
        "file": {"filename": part.name or "file.pdf", "file_data": part.url},
    }


def _tool_call(call: ToolCall) -> Body:
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": function}
