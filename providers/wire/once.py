"""The header `Idempotency-Key`: what is sent twice is answered once, and said to be so."""

from __future__ import annotations

from providers.gateway import Reply
from providers.wire.http import Exchange

HEADER = b"idempotency-key"
REPLAYED = (b"idempotent-replayed", b"true")


def idempotency_key(exchange: Exchange) -> str | None:
    return exchange.header(HEADER) or None


def said(exchange: Exchange, body: bytes) -> bytes:
    """Put together what must be the same: the same body elsewhere asks for something else."""
    path: str = exchange.scope["path"]
    return path.encode() + b"\0" + body


async def send_reply(exchange: Exchange, reply: Reply) -> None:
    headers = [*reply.headers, REPLAYED] if reply.is_replay else list(reply.headers)
    await exchange.send_json(200, reply.body, headers)
