"""Tools of an operator's own, called over HTTPS: the arguments in JSON, the answer as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from providers.credentials.envelope import Envelope
from providers.engine.routes import Deployment
from providers.engine.tools import ToolFailed
from providers.engine.upstream import Outgoing, Upstream
from providers.tools import secret

TIMEOUT_S = 15.0
MOST_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, repr=False)
class HttpsCall:
    """`header` is the name under which the secret travels; `sealed` None: there is none.

    The address is checked as a provider's is: nothing private, no redirects.
    """

    tool_id: int
    name: str
    url: str
    header: str
    sealed: Envelope | None
    upstream: Upstream

    async def run(self, given: Mapping[str, Any]) -> str:
        """Raise ToolFailed, UpstreamError."""
        headers = {"content-type": "application/json", "accept": "application/json, text/*"}
        if self.sealed is not None:
            headers[self.header.lower()] = secret.opened(self.tool_id, self.sealed)
        origin, path = parts(self.url)
        place = Deployment(
            id=0,
            provider=self.name,
            kind="",
            model="",
            base_url=origin,
            connect_timeout_s=TIMEOUT_S,
            idle_timeout_s=TIMEOUT_S,
            total_timeout_s=TIMEOUT_S,
        )
        body = json.dumps(given).encode()
        async with self.upstream.send(Outgoing(place, path, headers, body)) as incoming:
            if not 200 <= incoming.status < 300:
                raise ToolFailed(f"{self.name} answered with status {incoming.status}.")
            said = bytearray()
            async for chunk in incoming.body:
                said += chunk
                if len(said) > MOST_BYTES:
                    raise ToolFailed(f"{self.name} answered more than {MOST_BYTES:,} bytes.")
        return said.decode(errors="replace")


def parts(url: str) -> tuple[str, str]:
    """Split it into where it leads and what is asked there."""
    found = urlsplit(url)
    query = f"?{found.query}" if found.query else ""
    return f"{found.scheme}://{found.netloc}", f"{found.path or '/'}{query}"
