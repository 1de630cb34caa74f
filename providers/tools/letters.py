"""Something told to an operator's address over HTTPS; only the status of the answer counts."""

from __future__ import annotations

from collections.abc import Mapping

from providers.engine.errors import UpstreamRejected
from providers.engine.routes import Deployment
from providers.engine.upstream import Outgoing, Upstream
from providers.tools.https import TIMEOUT_S, parts


async def post(upstream: Upstream, url: str, headers: Mapping[str, str], body: bytes) -> None:
    """Raise UpstreamError, also for a status that is not 2xx. Private addresses are refused."""
    origin, path = parts(url)
    place = Deployment(
        id=0,
        provider="The webhook",
        kind="",
        model="",
        base_url=origin,
        connect_timeout_s=TIMEOUT_S,
        idle_timeout_s=TIMEOUT_S,
        total_timeout_s=TIMEOUT_S,
    )
    incoming, _ = await upstream.fetch(Outgoing(place, path, headers, body))
    if not 200 <= incoming.status < 300:
        raise UpstreamRejected(
            f"The webhook answered with status {incoming.status}.", status=incoming.status
        )
