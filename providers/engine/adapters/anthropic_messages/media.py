"""Images and documents as the wire has them; sound it does not know."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Any

from providers.engine.data_urls import inline
from providers.engine.errors import InvalidRequest
from providers.engine.request import Audio, File, Image

# Source: Anthropic, "Vision".
_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})

Body = dict[str, Any]


def media(part: Image | Audio | File, path: str) -> Body:
    """Make the block; `path` names the part. Raises InvalidRequest."""
    match part:
        case Image():
            # `detail` is a hint that this wire does not have.
            return {"type": "image", "source": _source(part, path)}
        case File():
            block: Body = {"type": "document", "source": _source(part, path)}
            return {**block, "title": part.name} if part.name else block
        case Audio():
            raise InvalidRequest("Anthropic's models take no audio.", param=path)


def _source(part: Image | File, path: str) -> Body:
    if part.file_id is not None:
        return {"type": "file", "file_id": part.file_id}
    given = inline(part.url, part.type)
    if given is None:
        return {"type": "url", "url": part.url}
    if isinstance(part, File) and given.media_type == "text/plain":
        return {"type": "text", "media_type": "text/plain", "data": _text(given.data, path)}
    known = _IMAGES if isinstance(part, Image) else {"application/pdf"}
    if given.media_type not in known:
        raise InvalidRequest(
            f"Anthropic's models take no {part.type} of type {given.media_type}; they take "
            f"{', '.join(sorted(known))}.",
            param=path,
        )
    return {"type": "base64", "media_type": given.media_type, "data": given.data}


def _text(data: str, path: str) -> str:
    try:
        return b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidRequest("The file is not text in base64 and UTF-8.", param=path) from None
