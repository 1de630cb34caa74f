"""An error as OpenAI's clients expect it, and whether they should try again."""

from __future__ import annotations

import math

from providers.engine.codes import INTERNAL, Row, row_of
from providers.engine.errors import EngineError, InvalidRequest, ServerStopping

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
    return headers


def _body(message: str, row: Row, param: str | None = None) -> dict[str, object]:
    return {
        "error": {
            "message": message,
            "type": row.openai_type,
            "param": param,
            "code": row.openai_code,
        }
    }
