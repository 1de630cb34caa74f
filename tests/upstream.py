"""A provider of our own making, with faults to order. It speaks every wire that we speak.

In a test, in a thread of its own (works for async, Django and browser tests alike):

    with FakeUpstream.serve() as upstream:
        upstream.openai_url       # base URL of kind openai_chat
        upstream.anthropic_url    # base URL of kind anthropic_messages
        upstream.url_of("gemini")           # base URL of any kind
        upstream.plan("503", "ok")         # what the next requests get; then by model name again
        upstream.hold(); upstream.release()  # keep every request waiting; let them go
        upstream.calls            # what came: wire, model, stream, headers, body
        upstream.left_early       # how many connections the client closed before the end

As a process: `python -m tests.upstream --port 8111`, steered over HTTP with the same words:

    POST /control {"plan": ["503"], "hold": true, "release": true, "text": "...", "pause_s": 0.01,
                   "reset": true}
    GET  /control -> {"calls": 3, "open": 1, "most_open": 2, "left_early": 0, "models": ["ok"]}

What a request gets is the next word of the plan, else the last part of its model name after a
dash (`fox-503`, `cut`), else a good answer:

    400 401 402 403 404 408 429 500 502 503 529   that status with the wire's error body;
                  429 carries `retry-after: 1` (set `retry_after` for another value, None for none)
    quota         429 insufficient_quota (OpenAI's way of saying that the account is empty)
    context       400 context_length_exceeded
    slow          a pause of 0.3 s before each piece
    hold          waits for `release()` before there are headers
    held          sends its first half, waits for `release()`, then the rest
    cut           sends its first half, then closes the connection
    end           sends its first half, then ends the body properly but without a terminal event
    stall         sends its first half, then nothing until the client leaves
    silent        accepts the request and never answers
    garbled       sends its first half, then something that is not JSON
    error         sends its first half, then the wire's error event inside the good 200
    early-error   the same before any content (the word is `early_error` in a plan)
    redirect      307 to elsewhere
    nousage       a good answer that never says its usage
    huge          a line of 10 million bytes without an end

Usage is 10 input tokens and one output token a word of `text`. A key that ends
with `wrong` gets 401, with the key in its words, as some do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.upstream_wires import INPUT_TOKENS, WIRES

TEXT = "The quick brown fox jumps over the lazy dog."
_STATUSES = {"400", "401", "402", "403", "404", "408", "429", "500", "502", "503", "529"}
_SLOW_S = 0.3

_OPENAI_ERRORS: dict[str, tuple[int, str, str | None]] = {
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "context": (400, "invalid_request_error", "context_length_exceeded"),
    "400": (400, "invalid_request_error", None),
    "401": (401, "invalid_request_error", "invalid_api_key"),
    "404": (404, "invalid_request_error", "model_not_found"),
    "429": (429, "requests", "rate_limit_exceeded"),
    "529": (529, "overloaded_error", None),
}
_ANTHROPIC_ERRORS = {
    "400": "invalid_request_error",
    "401": "authentication_error",
    "402": "billing_error",
    "403": "permission_error",
    "404": "not_found_error",
    "429": "rate_limit_error",
    "529": "overloaded_error",
}


@dataclass(frozen=True)
class Received:
    wire: str
    model: str
    stream: bool
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class FakeUpstream:
    text: str = TEXT
    pause_s: float = 0.0
    retry_after: str | None = "1"
    port: int = 0
    calls: list[Received] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0
    left_early: int = 0

    def __post_init__(self) -> None:
        self._plan: deque[str] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._go = asyncio.Event()
        self._go.set()
        self._changed = threading.Condition()

    @property
    def openai_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def anthropic_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def url_of(self, kind: str) -> str:
        path = {"anthropic_messages": "", "gemini": "/v1beta", "ollama": ""}.get(kind, "/v1")
        return f"http://127.0.0.1:{self.port}{path}"

    def plan(self, *words: str) -> None:
        self._plan.extend(words)

    def hold(self) -> None:
        """Keep every request that comes, before it gets headers."""
        self._go = asyncio.Event()

    def release(self) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._go.set)

    def reset(self) -> None:
        self.calls.clear()
        self._plan.clear()
        self.most_open = self.left_early = 0
        self.text, self.pause_s = TEXT, 0.0
        self.release()

    def wait_until(self, *, open_now: int | None = None, left_early: int | None = None) -> None:
        """Block until that many requests are open, or have been left; five seconds at most."""

        def reached() -> bool:
            return open_now in {None, self.open_now} and left_early in {None, self.left_early}

        with self._changed:
            assert self._changed.wait_for(reached, timeout=5), (self.open_now, self.left_early)

    @classmethod
    @contextmanager
    def serve(cls, port: int = 0) -> Iterator[FakeUpstream]:
        fake = cls(port=port)
        ready = threading.Event()
        stop = asyncio.Event()
        thread = threading.Thread(
            target=lambda: asyncio.run(fake._serve(ready, stop)), name="fake-upstream"
        )
        thread.start()
        try:
            assert ready.wait(10), "the fake upstream did not start"
            yield fake
        finally:
            assert fake._loop is not None
            fake._loop.call_soon_threadsafe(fake._go.set)
            fake._loop.call_soon_threadsafe(stop.set)
            thread.join(10)

    async def _serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        runner = web.AppRunner(self.app(), handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self.port)
        await site.start()
        self.port = runner.addresses[0][1]
        ready.set()
        await stop.wait()
        await runner.cleanup()

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._answer)
        app.router.add_post("/v1/messages", self._answer)
        app.router.add_post("/v1/responses", self._answer)
        app.router.add_post("/v1beta/models/{call}", self._answer)
        app.router.add_post("/api/chat", self._answer)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/control", self._control)
        app.router.add_get("/control", self._told)
        return app

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        wire = _wire_of(request.path)
        model, stream = str(body.get("model", "")), bool(body.get("stream"))
        if wire == "gemini":
            model, _, method = request.match_info["call"].partition(":")
            stream = method.startswith("stream")
        self.calls.append(Received(wire, model, stream, dict(request.headers.items()), body))
        word = self._plan.popleft() if self._plan else model.rpartition("-")[2]
        self._count(+1)
        try:
            return await _Answer(self, request, wire, model, stream, word).send()
        except (asyncio.CancelledError, ConnectionError):
            self.left_early += 1
            raise
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            self.open_now += change
            self.most_open = max(self.most_open, self.open_now)
            self._changed.notify_all()

    async def _models(self, request: web.Request) -> web.Response:
        if "wrong" in request.headers.get("authorization", request.headers.get("x-api-key", "")):
            return _error("openai_chat", "401", {})
        names = ["ok", "503", "cut"]
        return web.json_response({"object": "list", "data": [{"id": name} for name in names]})

    async def _control(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        if wanted.get("reset"):
            self.reset()
        self.plan(*wanted.get("plan", []))
        for name in ("text", "pause_s", "retry_after"):
            if name in wanted:
                setattr(self, name, wanted[name])
        if wanted.get("hold"):
            self.hold()
        if wanted.get("release"):
            self.release()
        return await self._told(request)

    async def _told(self, request: web.Request) -> web.Response:
        return web.json_response({
            "calls": len(self.calls),
            "open": self.open_now,
            "most_open": self.most_open,
            "left_early": self.left_early,
            "models": [call.model for call in self.calls],
        })


@dataclass
class _Answer:
    fake: FakeUpstream
    request: web.Request
    wire: str
    model: str
    stream: bool
    word: str

    async def send(self) -> web.StreamResponse:
        headers = self.request.headers
        keys = (headers.get(name) for name in ("authorization", "x-api-key", "x-goog-api-key"))
        key = next((each for each in keys if each), "")
        if key.endswith("wrong"):
            self.word = "401"
        go = self.fake._go
        if self.word == "hold" and go.is_set():
            self.fake.hold()
            go = self.fake._go
        await go.wait()
        headers = {"x-request-id": "req_fake", "request-id": "req_fake"}
        if self.word in _STATUSES or self.word in {"quota", "context"}:
            if self.word == "429" and self.fake.retry_after is not None:
                headers["retry-after"] = self.fake.retry_after
            return _error(self.wire, self.word, headers, key)
        if self.word == "redirect":
            return web.Response(status=307, headers={"location": "http://elsewhere.invalid/"})
        if self.word == "silent":
            await asyncio.sleep(3600)
        if not self.stream:
            return await self._send_plain(headers)
        kind = WIRES[self.wire].content_type if self.wire in WIRES else "text/event-stream"
        response = web.StreamResponse(headers={**headers, "content-type": kind})
        await response.prepare(self.request)
        return await self._send_stream(response)

    async def _send_plain(self, headers: dict[str, str]) -> web.StreamResponse:
        body = json.dumps(_plain(self.wire, self.model, self.fake.text)).encode()
        if self.word == "garbled":
            body = b"{oops"
        if self.word not in {"cut", "stall"}:
            return web.Response(body=body, content_type="application/json", headers=headers)
        response = web.StreamResponse(headers={**headers, "content-type": "application/json"})
        response.content_length = len(body)
        await response.prepare(self.request)
        await response.write(body[: len(body) // 2])
        if self.word == "stall":
            await asyncio.sleep(3600)
        self._close()
        return response

    async def _send_stream(self, response: web.StreamResponse) -> web.StreamResponse:
        opening, pieces, ending = _frames(
            self.wire, self.model, self.fake.text, says_usage=self.word != "nousage"
        )
        middle = len(pieces) // 2
        if self.word == "early_error" or self.model.endswith("early-error"):
            middle, self.word = 0, "error"
        for frame in opening:
            await response.write(frame)
        for frame in pieces[:middle]:
            await self._pause()
            await response.write(frame)
        if await self._misbehave(response):
            return response
        for frame in pieces[middle:]:
            await self._pause()
            await response.write(frame)
        await response.write(b"".join(ending))
        await response.write_eof()
        return response

    async def _pause(self) -> None:
        pause = _SLOW_S if self.word == "slow" else self.fake.pause_s
        if pause:
            await asyncio.sleep(pause)

    async def _misbehave(self, response: web.StreamResponse) -> bool:
        """Answer whether this was the end of it."""
        match self.word:
            case "cut":
                self._close()
            case "end":
                await response.write_eof()
            case "stall":
                await asyncio.sleep(3600)
            case "held":
                self.fake.hold()
                await self.fake._go.wait()
                return False
            case "garbled":
                is_lines = self.wire == "ollama"
                junk = b"{oops\n" if is_lines else b"event: content_block_delta\ndata: {oops\n\n"
                await response.write(junk)
                await response.write_eof()
            case "huge":
                await response.write(b"data: " + b"x" * 10_000_000)
                await response.write_eof()
            case "error":
                await response.write(_error_frame(self.wire))
                await response.write_eof()
            case _:
                return False
        return True

    def _close(self) -> None:
        assert self.request.transport is not None
        self.request.transport.close()


def _wire_of(path: str) -> str:
    by_path = {
        "/v1/messages": "anthropic_messages",
        "/v1/chat/completions": "openai_chat",
        "/v1/responses": "openai_responses",
        "/api/chat": "ollama",
    }
    return by_path.get(path, "gemini")


def _error(wire: str, word: str, headers: dict[str, str], key: str = "") -> web.Response:
    status, type_, code = _OPENAI_ERRORS.get(word, (0, "server_error", None))
    status = status or int(word)
    message = f"The fake upstream was asked for {word}."
    if word == "401":
        message += f" Incorrect API key provided: {key}"
    if wire in WIRES:
        body = WIRES[wire].error(word, status)
        return web.json_response(body, status=status, headers=headers)
    if wire == "anthropic_messages":
        error = {"type": _ANTHROPIC_ERRORS.get(word, "api_error"), "message": message}
        return web.json_response({"type": "error", "error": error}, status=status, headers=headers)
    error = {"message": message, "type": type_, "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def _error_frame(wire: str) -> bytes:
    if wire in WIRES:
        return WIRES[wire].frame(WIRES[wire].error("error", 500))
    if wire == "anthropic_messages":
        error = {"type": "overloaded_error", "message": "Overloaded"}
        return _named("error", {"type": "error", "error": error})
    error = {"message": "It broke.", "type": "server_error", "param": None, "code": None}
    return _data({"error": error})


def _frames(
    wire: str, model: str, text: str, *, says_usage: bool
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    words = text.split(" ")
    parts = [word if place == 0 else f" {word}" for place, word in enumerate(words)]
    if wire in WIRES:
        return WIRES[wire].frames(parts, says_usage)
    make = _anthropic_frames if wire == "anthropic_messages" else _openai_frames
    return make(model, parts, says_usage=says_usage)


def _openai_frames(
    model: str, parts: list[str], *, says_usage: bool
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    def chunk(choices: list[dict[str, Any]], **more: Any) -> bytes:
        head = {"id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1}
        return _data({**head, "model": model, "choices": choices, **more})

    def delta(fields: dict[str, Any], reason: str | None = None) -> bytes:
        return chunk([{"index": 0, "delta": fields, "finish_reason": reason}])

    ending = [delta({}, "stop")]
    if says_usage:
        ending.append(chunk([], usage=_openai_usage(len(parts))))
    opening = [delta({"role": "assistant", "content": ""})]
    return opening, [delta({"content": part}) for part in parts], [*ending, b"data: [DONE]\n\n"]


def _anthropic_frames(
    model: str, parts: list[str], *, says_usage: bool
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    usage = {"input_tokens": INPUT_TOKENS, "output_tokens": 1} if says_usage else {}
    message = {"id": "msg_fake", "type": "message", "role": "assistant", "model": model}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    block = {"type": "text", "text": ""}
    opening = [
        _named("message_start", {"type": "message_start", "message": message}),
        _named(
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": block},
        ),
        _named("ping", {"type": "ping"}),
    ]
    pieces = [
        _named(
            "content_block_delta",
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": part},
            },
        )
        for part in parts
    ]
    end = {"stop_reason": "end_turn", "stop_sequence": None}
    said = {"output_tokens": len(parts)} if says_usage else {}
    ending = [
        _named("content_block_stop", {"type": "content_block_stop", "index": 0}),
        _named("message_delta", {"type": "message_delta", "delta": end, "usage": said}),
        _named("message_stop", {"type": "message_stop"}),
    ]
    return opening, pieces, ending


def _plain(wire: str, model: str, text: str) -> dict[str, Any]:
    count = len(text.split(" "))
    if wire in WIRES:
        return WIRES[wire].plain([text, *[""] * (count - 1)])
    if wire == "anthropic_messages":
        return {
            "id": "msg_fake",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": INPUT_TOKENS, "output_tokens": count},
        }
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": _openai_usage(count),
    }


def _openai_usage(output: int) -> dict[str, int]:
    total = INPUT_TOKENS + output
    return {"prompt_tokens": INPUT_TOKENS, "completion_tokens": output, "total_tokens": total}


def _data(fields: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(fields).encode() + b"\n\n"


def _named(name: str, fields: dict[str, Any]) -> bytes:
    return f"event: {name}\n".encode() + _data(fields)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, default=8111)
    port = arguments.parse_args().port
    asyncio.run(FakeUpstream(port=port)._serve(threading.Event(), asyncio.Event()))


if __name__ == "__main__":
    main()
