"""A provider that answers the questions of the pictures, in OpenAI's and Anthropic's words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.upstream import FakeUpstream

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True)
class Turn:
    """What one call of the model gives: thoughts, then a text or calls of tools."""

    text: str = ""
    thoughts: str = ""
    calls: tuple[tuple[str, dict[str, Any]], ...] = ()


_ORDER = {
    "order": "A-10442",
    "customer": "Tidewater Cycles",
    "items": [
        {"sku": "HUB-28", "quantity": 12, "unit_price": 84.5},
        {"sku": "RIM-700C", "quantity": 24, "unit_price": 41.0},
    ],
    "needed_by": "2026-12-11",
}
BREAKER = """A circuit breaker lets a failing dependency **rest**, so that callers fail fast \
instead of waiting.

1. *Closed*: requests pass, failures are counted.
2. *Open*: after five failures in a row nothing is sent for 30 seconds.
3. *Half-open*: a few probes decide whether it closes again.

```python
if breaker.is_open:
    raise CircuitOpen(retry_after_s=breaker.rest_s)
```
"""
TALKS: dict[str, tuple[Turn, ...]] = {
    "Which plan": (
        Turn(calls=(("customers", {"query": "Tidewater", "limit": 1}),)),
        Turn(calls=(("calculator", {"expression": "149 * 12 * 0.9"}),)),
        Turn(
            "**Tidewater Cycles** is on the *Team* plan: 149 dollars a month, with 10 % off since"
            " they pay yearly.\n\nA year costs **1,609.20 dollars**; it renews on 1 March."
        ),
    ),
    "Take the order": (Turn(json.dumps(_ORDER)),),
    "A train": (
        Turn(
            "The freight train needs **50 minutes** to be caught: the express gains 48 km/h and"
            " starts 40 km behind.\n\n40 / 48 of an hour after 9:30 they meet: at **10:20**.",
            thoughts="Freight: left 9:00 at 80 km/h, so at 9:30 it is 40 km ahead. Express: 128"
            " km/h, 48 faster. 40 / 48 of an hour is 50 minutes. 9:30 + 0:50 = 10:20.",
        ),
    ),
    "What does this": (
        Turn(
            "It is a bar chart of **requests a day** over two weeks. Weekdays lie near 40, weekends"
            " near 15, and the last Thursday stands out with 61."
        ),
    ),
    "Write the note": (
        Turn(
            "**Heads up: slower answers this morning**\n\nOne of our model providers is overloaded."
            " Your prompts are answered by a second one in the meantime; nothing is lost and"
            " nothing has to be done. We will write again by 11:00."
        ),
    ),
    "Explain a circuit": (Turn(BREAKER),),
}
_ELSE = Turn("Done: the three tickets are about late parcels, and one of them asks for a refund.")


@dataclass
class ScriptedUpstream(FakeUpstream):
    """`down`: models that answer 503."""

    down: set[str] = field(default_factory=set[str])

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_post("/v1/chat/completions", self._say)
        app.router.add_post("/v1/messages", self._tell)
        app.router.add_get("/v1/models", self._models)
        return app

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        """Anthropic's wire, which is only asked for text."""
        body = await request.json()
        if body["model"] in self.down:
            self._plan.append("529")
        self.text = _turn(body["messages"]).text
        return await self._answer(request)

    async def _say(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["model"] in self.down:
            error = {"message": "The server is overloaded.", "type": "server_error"}
            return web.json_response({"error": error}, status=503)
        turn = _turn(body["messages"])
        usage = _usage(body, turn)
        if not body.get("stream"):
            message = {"role": "assistant", "content": turn.text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response({"id": "c", "choices": [choice], "usage": usage})
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for delta in _deltas(turn):
            await self._pause_of_words()
            await response.write(_frame(delta, None))
        await response.write(_frame({}, "tool_calls" if turn.calls else "stop"))
        await response.write(
            _data({"id": "c", "choices": [], "usage": usage}) + b"data: [DONE]\n\n"
        )
        await response.write_eof()
        return response

    async def _pause_of_words(self) -> None:
        import asyncio

        await asyncio.sleep(self.pause_s)


def _turn(messages: list[dict[str, Any]]) -> Turn:
    """Answer the last question; each round of results takes the talk one turn further."""
    asked = max(place for place, one in enumerate(messages) if one["role"] == "user")
    said = json.dumps(messages[asked], ensure_ascii=False)
    rounds = sum(one["role"] == "assistant" for one in messages[asked + 1 :])
    for opening, turns in TALKS.items():
        if opening in said:
            return turns[min(rounds, len(turns) - 1)]
    return _ELSE


def _deltas(turn: Turn) -> Iterator[dict[str, Any]]:
    for word in turn.thoughts.split(" ") if turn.thoughts else ():
        yield {"reasoning": f"{word} "}
    for place, (name, arguments) in enumerate(turn.calls):
        function = {"name": name, "arguments": json.dumps(arguments)}
        call = {"index": place, "id": f"call_{name}", "type": "function", "function": function}
        yield {"tool_calls": [call]}
    for place, word in enumerate(turn.text.split(" ") if turn.text else ()):
        yield {"content": f" {word}" if place else word}


def _usage(body: dict[str, Any], turn: Turn) -> dict[str, int]:
    said = len(turn.text) + len(turn.thoughts) + len(json.dumps(turn.calls))
    read = sum(len(json.dumps(one)) for one in body["messages"])
    return {
        "prompt_tokens": min(read, 8000) // _BYTES_PER_TOKEN,
        "completion_tokens": said // _BYTES_PER_TOKEN,
    }


def _frame(delta: dict[str, Any], reason: str | None) -> bytes:
    return _data({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


def _data(fields: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(fields)}\n\n".encode()
