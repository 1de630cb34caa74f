"""What a request is for: the header `x-gai-tag`, else `metadata.tag`, else the key's own tag."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from providers.engine.call import Caller
from providers.engine.tags import checked
from providers.wire.http import Exchange

_NONE: Mapping[str, str] = MappingProxyType({})


def tagged(caller: Caller, exchange: Exchange, metadata: Mapping[str, str] = _NONE) -> Caller:
    """Raise InvalidRequest with the name of the header or field."""
    if header := exchange.header(b"x-gai-tag"):
        return replace(caller, tag=checked(header, "x-gai-tag"))
    if "tag" in metadata:
        return replace(caller, tag=checked(metadata["tag"], "metadata.tag"))
    return caller
