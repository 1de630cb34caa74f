"""Adapters fed from memory, through httpx's own mock transport."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from providers.engine.adapters.anthropic_messages import AnthropicMessagesAdapter
from providers.engine.adapters.openai_chat import OpenAIChatAdapter
from providers.engine.call import Attempt, Call
from providers.engine.events import Event
from providers.engine.ports import Adapter
from providers.engine.request import CompletionRequest
from providers.engine.upstream import Upstream
from tests.fakes import CALLER, a_deployment, a_request, a_route

ADAPTERS: dict[str, Callable[[Upstream], Adapter]] = {
    "openai_chat": OpenAIChatAdapter,
    "anthropic_messages": AnthropicMessagesAdapter,
}
HOME = Path(__file__).resolve().parents[3]
RECORDINGS = Path(os.environ.get("GAIWEB_RECORDINGS", HOME.parent / "shared" / "recordings"))
if not RECORDINGS.is_dir():
    # A worktree stands one folder deeper than the checkout.
    RECORDINGS = HOME.parent.parent / "shared" / "recordings"


class Chunks(httpx.AsyncByteStream):
    """A body in these pieces; `error` is raised after the last."""

    def __init__(self, pieces: Sequence[bytes], error: Exception | None = None) -> None:
        self.pieces, self.error = pieces, error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.error is not None:
            raise self.error


@dataclass
class Replay:
    """One adapter and one answer for it; `sent` keeps what went upstream."""

    wire: str
    pieces: Sequence[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    sent: list[httpx.Request] = field(default_factory=list)

    async def events(
        self, request: CompletionRequest | None = None, secret: str = "sk-secret", **deployment: Any
    ) -> list[Event]:
        request = request if request is not None else a_request()
        target = a_deployment(kind=self.wire, **deployment)
        attempt = Attempt(Call(request, CALLER, a_route(target), 1e9), target, 1e9)
        async with self.adapter().open(attempt, secret) as reply:
            return [event async for event in reply.events]

    def adapter(self) -> Adapter:
        return ADAPTERS[self.wire](Upstream(transport=httpx.MockTransport(self._handle)))

    @property
    def body(self) -> dict[str, Any]:
        return json.loads(self.sent[-1].content)

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(
            self.status, headers=self.headers, stream=Chunks(self.pieces, self.error)
        )


def sse(*frames: dict[str, Any] | str, named: bool = False) -> list[bytes]:
    """Make frames as a server does; `named` adds the `event:` line of Anthropic's wire."""
    made: list[bytes] = []
    for frame in frames:
        data = frame if isinstance(frame, str) else json.dumps(frame)
        head = f"event: {frame['type']}\n" if named and isinstance(frame, dict) else ""
        made.append(f"{head}data: {data}\n\n".encode())
    return made
