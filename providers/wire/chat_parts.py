"""The parts of a message's content. Source: OpenAI, as in its request."""

from __future__ import annotations

from typing import Any

from providers.engine.errors import InvalidRequest, UnsupportedPart
from providers.engine.request import Audio, File, Image, Part, Refusal, Text
from providers.wire.fields import items, mapping, optional, text

_KNOWN = ("text", "image_url", "input_audio", "file", "refusal")
_MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav"}


def parts(value: Any, path: str) -> tuple[Part, ...]:
    if isinstance(value, str):
        return (Text(value),)
    if value is None:
        return ()
    return tuple(_part(each, f"{path}.{n}") for n, each in enumerate(items(value, path)))


def _part(value: Any, path: str) -> Part:
    fields = mapping(value, path)
    kind = text(fields.get("type"), f"{path}.type")
    if kind not in _KNOWN:
        raise UnsupportedPart(
            f"`{path}.type` must be one of {', '.join(_KNOWN)}.", param=f"{path}.type"
        )
    at = f"{path}.{kind}"
    match kind:
        case "text":
            return Text(text(fields.get(kind), at))
        case "refusal":
            return Refusal(text(fields.get(kind), at))
        case "image_url":
            image = mapping(fields.get(kind), at)
            return Image(
                text(image.get("url"), f"{at}.url"), detail=optional(image, "detail", text)
            )
        case "input_audio":
            return _audio(mapping(fields.get(kind), at), at)
        case _:
            return _file(mapping(fields.get(kind), at), at)


def _audio(fields: dict[str, Any], path: str) -> Audio:
    format = text(fields.get("format"), f"{path}.format")
    media_type = _MEDIA_TYPES.get(format, f"audio/{format}")
    return Audio(f"data:{media_type};base64,{text(fields.get('data'), f'{path}.data')}")


def _file(fields: dict[str, Any], path: str) -> File:
    name = optional(fields, "filename", text) or ""
    id, data = optional(fields, "file_id", text), optional(fields, "file_data", text)
    if not id and not data:
        raise InvalidRequest(f"`{path}` needs `file_id` or `file_data`.", param=path)
    return File(data or "", file_id=id, name=name)
