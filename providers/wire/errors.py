"""An error as OpenAI's clients expect it, and whether they should try again."""

from __future__ import annotations

import math
from collections.abc import Iterable

from providers.engine.codes import INTERNAL, Row, row_of
from providers.engine.errors import (
    EngineError,
    InvalidRequest,
    RateLimited,
    Remaining,
    ServerStopping,
    ServiceDegraded,
)
from providers.engine.levels import Level
from providers.headers import of_level
from providers.wire.http import encoded

STOPPING = ServerStopping("The server is being restarted. Ask again in a moment.", retry_after_s=2)

# Node's and Anthropic's SDKs ignore a longer wait and come back sooner instead.
_LONGEST_WAIT_OBEYED_S = 60


def openai_body(error: EngineError) -> dict[str, object]:
    row = row_of(error)
    param = error.param if isinstance(error, InvalidRequest) else None
    return _body(error.message, row, param)


def internal_body(request_id: str) -> dict[str, object]:
    """Tell a caller of a bug, and nothing of its inside."""
    return _body(f"An error of ours, not of yours. Request {request_id} is in our log.", INTERNAL)


def retry_headers(error: EngineError) -> list[tuple[bytes, bytes]]:
    """Say plainly whether to try again; whole seconds, rounded up, at least one."""
    may_retry = error.may_retry
    headers = []
    if error.retry_after_s is not None:
        wait = max(1, math.ceil(error.retry_after_s))
        may_retry = may_retry and wait <= _LONGEST_WAIT_OBEYED_S
        headers.append((b"retry-after", str(wait).encode()))
    headers.append((b"x-should-retry", b"true" if may_retry else b"false"))
    if isinstance(error, RateLimited):
        headers += limit_headers(error.remaining)
    if isinstance(error, ServiceDegraded):
        headers += encoded(of_level(Level.EMERGENCY))
    return headers


def limit_headers(remaining: Iterable[Remaining]) -> list[tuple[bytes, bytes]]:
    """Write OpenAI's names; where several limits apply, of the tightest.

    Source: OpenAI, "Rate limits in headers". A reset is how long until nothing is used any more.
    """
    return [
        (f"x-ratelimit-{part}-{each.what}".encode(), value.encode())
        for each in remaining
        for part, value in (
            ("limit", str(each.limit)),
            ("remaining", str(each.left)),
            ("reset", duration(each.full_in_s)),
        )
    ]


def duration(seconds: float) -> str:
    """Write `12ms`, `1.5s`, `6m0s` or `1h0m0s`, as Go and so OpenAI do."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds * 1000) / 1000, 60)
    hours, minutes = divmod(int(minutes), 60)
    tail = f"{round(rest, 3):g}s"
    if hours:
        return f"{hours}h{minutes}m{tail}"
    return f"{minutes}m{tail}" if minutes else tail


def _body(message: str, row: Row, param: str | None = None) -> dict[str, object]:
    return {
        "error": {
            "message": message,
            "type": row.openai_type,
            "param": param,
            "code": row.openai_code,
        }
    }
