"""Media that came within the request, as `data:` URLs."""

from __future__ import annotations

from dataclasses import dataclass

from providers.engine.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Inline:
    """`data` is base64, as it came. `media_type` such as `image/png`."""

    media_type: str
    data: str


def inline(url: str, what: str, path: str = "messages") -> Inline | None:
    """Take a data URL apart; None: it is an address. Raises InvalidRequest of `what` at `path`."""
    if not url.startswith("data:"):
        return None
    head, comma, data = url.removeprefix("data:").partition(",")
    media_type, _, encoding = head.rpartition(";")
    if not comma or encoding != "base64" or not media_type:
        raise InvalidRequest(
            f"The data URL of the {what} begins with data:<type>;base64, and then its bytes.",
            param=path,
        )
    return Inline(media_type, data)
