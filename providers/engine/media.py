"""Attachments within a request: their form and their size."""

from __future__ import annotations

import binascii
import re

from providers.engine.errors import InvalidRequest, TextTooLong, UnsupportedPart
from providers.engine.request import Audio, File, Image

Medium = Image | Audio | File

# Source: RFC 2397; only base64, which is what every provider takes.
_DATA_URL = re.compile(
    r"data:([a-z]+)/[a-z0-9.+_-]+(?:;[a-z0-9-]+=[^;,]*)*;base64\Z", re.IGNORECASE
)
_ADDRESS = re.compile(r"(?:https?|gs)://[^\s/]+", re.IGNORECASE)
_FAMILIES: dict[type[Medium], str] = {Image: "image", Audio: "audio"}
_CLUE = "Send data:<type>/<subtype>;base64,<bytes>, or an https address."


def check(part: Medium, path: str, most_bytes: int) -> None:
    """Raise InvalidRequest, UnsupportedPart, TextTooLong, with the path in words."""
    if part.url.startswith("data:"):
        _check_data(part, path, most_bytes)
    elif part.url and _ADDRESS.match(part.url) is None:
        raise InvalidRequest(f"{path} is no address of an attachment. {_CLUE}", param=path)
    elif not part.url and part.file_id is None:
        raise InvalidRequest(f"{path} has neither an address nor a file. {_CLUE}", param=path)


def _check_data(part: Medium, path: str, most_bytes: int) -> None:
    head, comma, data = part.url.partition(",")
    form = _DATA_URL.match(head)
    if form is None or not comma:
        raise InvalidRequest(f"{path} is no data URL that can be read. {_CLUE}", param=path)
    family = _FAMILIES.get(type(part), form[1].lower())
    if form[1].lower() != family:
        raise UnsupportedPart(
            f"{path} is an {part.type} part with {form[1].lower()} data; send it as a part of its "
            "own kind.",
            param=path,
        )
    size = len(data) * 3 // 4 - data[-2:].count("=")
    if size > most_bytes:
        raise TextTooLong(
            f"The attachment {path} has {size:,} bytes; at most {most_bytes:,} are allowed. Send "
            "a smaller one, or an address.",
            param=path,
        )
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except ValueError:
        raise InvalidRequest(f"The bytes of {path} are not base64. {_CLUE}", param=path) from None
