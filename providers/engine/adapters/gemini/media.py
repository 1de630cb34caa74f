"""Pictures, sound and documents as parts of a Gemini body."""

from __future__ import annotations

from mimetypes import guess_type
from typing import Any

from providers.engine.data_urls import inline
from providers.engine.errors import InvalidRequest
from providers.engine.request import Audio, File, Image

_FILES = "https://generativelanguage.googleapis.com/v1beta/"

Body = dict[str, Any]


def media(part: Image | Audio | File, path: str) -> Body:
    """Bytes go inline; an address or an uploaded file is fetched by Google, never by us."""
    if part.file_id:
        uri = part.file_id if "://" in part.file_id else f"{_FILES}{part.file_id}"
        return {"fileData": {"fileUri": uri}}
    found = inline(part.url, part.type, path)
    if found is not None:
        return {"inlineData": {"mimeType": found.media_type, "data": found.data}}
    if not part.url:
        raise InvalidRequest(f"The {part.type} part has neither url nor file.", param=path)
    media_type, _ = guess_type(part.url.partition("?")[0])
    data = {"fileUri": part.url}
    return {"fileData": {**data, "mimeType": media_type} if media_type else data}
