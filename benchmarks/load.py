"""Closed-loop load over kept-alive connections: each caller asks again when it has its answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass
class Result:
    """`seconds` of the whole run; latencies in milliseconds."""

    seconds: float
    latencies: list[float]
    failures: int

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


@dataclass
class _Caller:
    port: int
    request: bytes
    until: float
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    async def run(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        while time.perf_counter() < self.until:
            began = time.perf_counter()
            writer.write(self.request)
            status = await _read_answer(reader)
            self.latencies.append((time.perf_counter() - began) * 1000)
            self.failures += status != b"200"
        writer.close()
        await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    start = head.find(b"content-length:")
    if start >= 0:
        await reader.readexactly(int(head[start + 15 :].split(b"\r\n", 1)[0]))
    else:
        await reader.readuntil(b"0\r\n\r\n")
    return head[9:12]


def request_of(path: str, body: bytes, secret: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {secret}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body


async def run(port: int, request: bytes, callers: int, seconds: float) -> Result:
    began = time.perf_counter()
    crowd = [_Caller(port, request, began + seconds) for _ in range(callers)]
    await asyncio.gather(*(caller.run() for caller in crowd))
    return Result(
        time.perf_counter() - began,
        [latency for caller in crowd for latency in caller.latencies],
        sum(caller.failures for caller in crowd),
    )
