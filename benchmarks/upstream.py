"""A provider as fast as one process can be: a fixed answer to every request, plain or streamed.

`python -m benchmarks.upstream PORT`
"""

from __future__ import annotations

import asyncio
import json
import sys

import uvloop

HEAD = {"id": "chatcmpl-1", "created": 1, "model": "fast"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 9, "total_tokens": 19}
TEXT = "The quick brown fox jumps over the lazy dog."
CHUNKS = 100


def _plain() -> bytes:
    message = {"role": "assistant", "content": TEXT}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    body = json.dumps({
        **HEAD,
        "object": "chat.completion",
        "choices": choices,
        "usage": USAGE,
    }).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


def _chunk(choices: list[dict[str, object]], **more: object) -> bytes:
    fields = {**HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
    event = b"data: " + json.dumps(fields).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(event), event)


def _stream() -> bytes:
    deltas = [
        _chunk([{"index": 0, "delta": {"content": f" w{n}"}, "finish_reason": None}])
        for n in range(CHUNKS)
    ]
    end = _chunk([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    usage = _chunk([], usage=USAGE)
    head = (
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    return head + b"".join(deltas) + end + usage + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Fast(asyncio.Protocol):
    plain, stream = _plain(), _stream()

    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            start = head.find(b"content-length:")
            length = int(head[start + 15 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
            whole = end + 4 + length
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            is_stream = b'"stream":true' in body or b'"stream": true' in body
            self.transport.write(self.stream if is_stream else self.plain)  # type: ignore[attr-defined]


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Fast, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
