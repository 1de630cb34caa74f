"""Pictures, sound and documents as content of a Responses message."""

from __future__ import annotations

from typing import Any

from providers.engine.data_urls import inline
from providers.engine.errors import InvalidRequest
from providers.engine.request import Audio, File, Image

_SOUNDS = {
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/wave": "wav",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
}

Body = dict[str, Any]


def media(part: Image | Audio | File, path: str) -> Body:
    """Make one; an address is fetched by OpenAI, never by us. Raises InvalidRequest."""
    match part:
        case Image(url, file_id, detail):
            source = (
                {"file_id": file_id} if file_id else {"image_url": _given(url, part.type, path)}
            )
            return {"type": "input_image", "detail": detail or "auto", **source}
        case Audio(url):
            return {"type": "input_audio", "input_audio": _sound(url, path)}
        case File(url, file_id, name):
            if file_id:
                return {"type": "input_file", "file_id": file_id}
            if inline(_given(url, part.type, path), part.type, path) is None:
                return {"type": "input_file", "file_url": url}
            return {"type": "input_file", "filename": name or "file", "file_data": url}


def _sound(url: str, path: str) -> Body:
    found = inline(url, "audio", path)
    format = _SOUNDS.get(found.media_type.partition(";")[0]) if found is not None else None
    if found is None or format is None:
        raise InvalidRequest(
            "Sound goes to this provider as a data URL of audio/wav or audio/mpeg.",
            param=path,
        )
    return {"data": found.data, "format": format}


def _given(url: str, what: str, path: str) -> str:
    if not url:
        raise InvalidRequest(f"The {what} part has neither url nor file.", param=path)
    return url
