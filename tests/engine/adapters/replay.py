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
from providers.engine.adapters.gemini import GeminiAdapter
from providers.engine.adapters.ollama import OllamaAdapter
from providers.engine.adapters.openai_chat import OpenAIChatAdapter
from providers.engine.adapters.openai_responses import OpenAIResponsesAdapter
from providers.engine.call import Attempt, Call
from providers.engine.events import Event
from providers.engine.ports import Adapter
from providers.engine.request import CompletionRequest
from providers.engine.upstream import Upstream
from tests.fakes import CALLER, a_deployment, a_request, a_route

ADAPTERS: dict[str, Callable[[Upstream], Adapter]] = {
    "openai_chat": OpenAIChatAdapter,
    "anthropic_messages": AnthropicMessagesAdapter,
    "gemini": GeminiAdapter,
    "openai_responses": OpenAIResponsesAdapter,
    "ollama": OllamaAdapter,
}
HOME = Path(__file__).resolve().parents[3]


def _recordings() -> Path:
    """Look beside the checkout, and one folder up for a worktree of it."""
    if named := os.environ.get("GAIWEB_RECORDINGS"):
        return Path(named)
    usual = HOME.parent / "shared" / "recordings"
    deeper = HOME.parent.parent / "shared" / "recordings"
    return deeper if deeper.is_dir() and not usual.is_dir() else usual


RECORDINGS = _recordings()


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

    def __post_init__(self) -> None:
        self._adapter = ADAPTERS[self.wire](Upstream(transport=httpx.MockTransport(self._handle)))

    async def events(
        self,
        request: CompletionRequest | None = None,
        secret: str = "sk-secret",
        into: list[Event] | None = None,
        **deployment: Any,
    ) -> list[Event]:
        """Read the answer whole; `into` keeps what came before a failure."""
        request = request if request is not None else a_request()
        events = into if into is not None else []
        target = a_deployment(kind=self.wire, **deployment)
        attempt = Attempt(Call(request, CALLER, a_route(target), 1e9), target, 1e9)
        async with self._adapter.open(attempt, secret) as reply:
            async for event in reply.events:
                events.append(event)
        return events

    def adapter(self) -> Adapter:
        return self._adapter

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
