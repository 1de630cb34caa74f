"""A tag: what a request is for, in one word of the caller's own."""

from __future__ import annotations

import re

from providers.engine.errors import InvalidRequest

LONGEST = 64
RULE = (
    f"A tag has 1 to {LONGEST} characters: letters, digits and . _ : / - and begins with a letter"
    " or a digit."
)

_TAG = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._:/-]{{0,{LONGEST - 1}}}")


def is_tag(text: str) -> bool:
    return _TAG.fullmatch(text) is not None


def checked(text: str, param: str) -> str:
    """Answer it as it is. Raises InvalidRequest that names `param`."""
    if not is_tag(text):
        raise InvalidRequest(f"`{param}` is not a tag. {RULE}", param=param)
    return text
