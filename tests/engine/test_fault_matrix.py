"""Every fault, on every wire, streamed and plain, through the whole engine.

Each must have the right error, the right decision (the same deployment again, the next one, the
breaker), the right number of requests upstream, a closed connection and one settlement.
Bodies come from `wires`; a new wire is covered by its entry there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import httpx
import pytest

from providers.engine.call import AttemptStatus
from providers.engine.errors import (
    CredentialRejected,
    EngineError,
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamMisconfigured,
    UpstreamOverloaded,
    UpstreamRejected,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.events import Event, Finish, TextDelta
from providers.engine.pipeline import Engine
from providers.engine.ports import Reservation
from providers.engine.upstream import Upstream
from tests.engine.adapters.replay import ADAPTERS
from tests.engine.conftest import an_engine, now
from tests.engine.wires import WIRES
from tests.engine.wires.wire import Wire
from tests.fakes import (
    CALLER,
    AttemptRecord,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_request,
    a_route,
)

TRIES = 2


@dataclass(frozen=True)
class Decision:
    """Written down here, not read from the classes: these tests are what pins them."""

    retries: bool
    goes_on: bool
    trips: bool


DECISIONS: dict[type[UpstreamError], Decision] = {
    UpstreamUnavailable: Decision(retries=True, goes_on=True, trips=True),
    UpstreamOverloaded: Decision(retries=True, goes_on=True, trips=True),
    UpstreamTimeout: Decision(retries=True, goes_on=True, trips=True),
    UpstreamThrottled: Decision(retries=True, goes_on=True, trips=False),
    UpstreamRejected: Decision(retries=False, goes_on=False, trips=False),
    CredentialRejected: Decision(retries=False, goes_on=True, trips=False),
    UpstreamMisconfigured: Decision(retries=False, goes_on=True, trips=False),
    UpstreamGarbled: Decision(retries=False, goes_on=True, trips=True),
    StreamCut: Decision(retries=False, goes_on=True, trips=True),
}


@dataclass
class Play:
    """What the first deployment does with a request. `refuses` comes before there are headers,
    `breaks` after the last piece; `hangs`: it says nothing at all.
    """

    pieces: Sequence[bytes] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    refuses: Exception | None = None
    breaks: Exception | None = None
    hangs: bool = False


@dataclass(frozen=True)
class Fault:
    """`error` None: it answers all the same. `begins`: its first content is out, so that nobody
    else can be asked; this is of streams only, plain answers begin when they are whole.
    `waits_s`: at least so long before the second try.
    """

    name: str
    error: type[UpstreamError] | None
    play: Callable[[Wire, bool], Play]
    begins: bool = False
    waits_s: float = 0.0


def said(wire: Wire, stream: bool) -> Sequence[bytes]:
    return wire.stream if stream else [wire.plain]


def status(code: int, **headers: str) -> Callable[[Wire, bool], Play]:
    def play(wire: Wire, stream: bool) -> Play:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(wire.errors("", code)).encode()
        return Play([body], code, {"content-type": "application/json", **names})

    return play


def refuses(error: Exception) -> Callable[[Wire, bool], Play]:
    return lambda wire, stream: Play(refuses=error)


def hangs(wire: Wire, stream: bool) -> Play:
    return Play(hangs=True)


def malformed(wire: Wire, stream: bool) -> Play:
    return Play([wire.frame("{oops"), *wire.stream] if stream else [b"{oops"])


def error_inside(wire: Wire, stream: bool) -> Play:
    body = json.dumps(wire.errors("", 529))
    return Play([wire.frame(body)] if stream else [body.encode()])


def error_after_content(wire: Wire, stream: bool) -> Play:
    if not stream:
        return error_inside(wire, stream)
    place = next(n for n, piece in enumerate(wire.stream) if b"Hello" in piece)
    return Play([*wire.stream[: place + 1], wire.frame(json.dumps(wire.errors("", 529)))])


def half_a_letter(wire: Wire, stream: bool) -> Play:
    """Take a byte out of a letter of three, or half of one that is escaped."""
    pieces = said(wire, stream)
    for whole, half in (("世".encode(), "世".encode()[:2]), (b"\\u4e16", b"\\ud83d")):
        if any(whole in piece for piece in pieces):
            return Play([piece.replace(whole, half) for piece in pieces])
    raise AssertionError(wire.kind)


def cut_after(marker: bytes | None) -> Callable[[Wire, bool], Play]:
    """Break off behind the piece that holds `marker`; None: before there is any content."""

    def play(wire: Wire, stream: bool) -> Play:
        broken = httpx.ReadError("reset")
        if not stream:
            return Play([wire.plain[: len(wire.plain) // 2]], breaks=broken)
        if marker is None:
            return Play([wire.stream[0][:5]], breaks=broken)
        place = next(n for n, piece in enumerate(wire.stream) if marker in piece)
        return Play(wire.stream[: place + 1], breaks=broken)

    return play


def garbage_behind(wire: Wire, stream: bool) -> Play:
    return Play([*said(wire, stream), b"\xff\xfe{not json\n\n"])


FAULTS = [
    Fault("connect refused", UpstreamUnavailable, refuses(httpx.ConnectError("refused"))),
    Fault("reset", UpstreamUnavailable, refuses(httpx.ReadError("reset"))),
    Fault("hang", UpstreamTimeout, hangs),
    Fault("400", UpstreamRejected, status(400)),
    Fault("401", CredentialRejected, status(401)),
    Fault("403", CredentialRejected, status(403)),
    Fault("404", UpstreamMisconfigured, status(404)),
    Fault("408", UpstreamTimeout, status(408)),
    Fault("413", UpstreamRejected, status(413)),
    Fault("429", UpstreamThrottled, status(429), waits_s=1),
    Fault("429 retry-after", UpstreamThrottled, status(429, retry_after="7"), waits_s=7),
    Fault("500", UpstreamUnavailable, status(500)),
    Fault("503", UpstreamUnavailable, status(503)),
    Fault("529", UpstreamOverloaded, status(529)),
    Fault("malformed JSON", UpstreamGarbled, malformed),
    Fault("in-stream error", UpstreamUnavailable, error_inside),
    Fault("in-stream error after content", UpstreamUnavailable, error_after_content, begins=True),
    Fault("truncated UTF-8", UpstreamGarbled, half_a_letter, begins=True),
    Fault("cut before content", StreamCut, cut_after(None)),
    Fault("cut after content", StreamCut, cut_after(b"Hello"), begins=True),
    Fault("cut in a tool call", StreamCut, cut_after(b"look"), begins=True),
    Fault("garbage after the end", None, garbage_behind),
]


class _Body(httpx.AsyncByteStream):
    def __init__(self, play: Play, upstream: FaultyUpstream) -> None:
        self._play, self._upstream = play, upstream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._play.pieces:
            yield piece
        if self._play.breaks is not None:
            raise self._play.breaks

    async def aclose(self) -> None:
        self._upstream.open_bodies.discard(self)


@dataclass
class FaultyUpstream(httpx.AsyncBaseTransport):
    """Port 1 plays the fault each time, port 2 answers well. `asked` are their ports in turn."""

    fault: Play
    good: Play
    asked: list[int] = field(default_factory=list)
    asked_at: list[float] = field(default_factory=list)
    open_bodies: set[_Body] = field(default_factory=set)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.port or 0)
        self.asked_at.append(now())
        play = self.fault if request.url.port == 1 else self.good
        if play.hangs:
            await asyncio.sleep(3600)
        if play.refuses is not None:
            raise play.refuses
        body = _Body(play, self)
        self.open_bodies.add(body)
        return httpx.Response(play.status, headers=play.headers, stream=body)


@dataclass
class CountingLedger(MemoryLedger):
    settlements: int = 0

    async def settle(self, reservation: Reservation, attempts: Sequence[AttemptRecord]) -> None:
        self.settlements += 1
        await super().settle(reservation, attempts)


@dataclass
class Outcome:
    upstream: FaultyUpstream
    engine: Engine
    ledger: CountingLedger
    recorder: Recorder
    events: list[Event]
    raised: EngineError | None


async def run(fault: Fault, wire: Wire, stream: bool) -> Outcome:
    upstream = FaultyUpstream(fault.play(wire, stream), Play(said(wire, stream)))
    ledger, recorder = CountingLedger(), Recorder()
    adapter = ADAPTERS[wire.kind](Upstream(transport=upstream))
    engine = an_engine(Script(), ledger, recorder, adapters={wire.kind: adapter})
    first, second = (
        a_deployment(n, kind=wire.kind, base_url=f"http://127.0.0.1:{n}", max_attempts=TRIES)
        for n in (1, 2)
    )
    events: list[Event] = []
    raised: EngineError | None = None
    try:
        request = a_request(stream=stream)
        async with engine.open(request, CALLER, a_route(first, second)) as answer:
            # One by one: what came before a failure is kept.
            async for event in answer.events:
                events.append(event)  # noqa: PERF401
    except EngineError as error:
        raised = error
    await engine.drain()
    return Outcome(upstream, engine, ledger, recorder, events, raised)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "plain"])
@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.kind)
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_has_its_error_its_decision_and_one_settlement(
    fault: Fault, wire: Wire, stream: bool
) -> None:
    outcome = await run(fault, wire, stream)
    # Behind a plain answer there is no end that could come before the garbage.
    error = UpstreamGarbled if fault.error is None and not stream else fault.error
    has_begun = fault.begins and stream

    assert_error(outcome, error, has_begun=has_begun)
    assert_requests(outcome, fault, error, has_begun=has_begun)
    assert_end(outcome, error, has_begun=has_begun)
    assert not outcome.upstream.open_bodies
    assert outcome.ledger.held == {}
    assert outcome.ledger.settlements == len(outcome.ledger.settled) == 1
    assert outcome.ledger.settled.popitem()[1] == outcome.recorder.attempts


def assert_error(outcome: Outcome, error: type[UpstreamError] | None, *, has_begun: bool) -> None:
    first = outcome.recorder.attempts[0]
    if error is None:
        assert first.status is AttemptStatus.OK
        return
    # Inside a good stream a wire may say more exactly what it is: overloaded, not only unavailable.
    expected = {error, UpstreamOverloaded} if error is UpstreamUnavailable else {error}
    assert type(first.failure) in expected
    assert first.status is (AttemptStatus.CUT if has_begun else AttemptStatus.FAILED)
    trips = DECISIONS[error].trips
    state = outcome.engine.breakers.snapshot()[0]
    assert state.consecutive_failures == (outcome.upstream.asked.count(1) if trips else 0)


def assert_requests(
    outcome: Outcome, fault: Fault, error: type[UpstreamError] | None, *, has_begun: bool
) -> None:
    asked = outcome.upstream.asked
    retries = error is not None and DECISIONS[error].retries and not has_begun
    falls_back = error is not None and DECISIONS[error].goes_on and not has_begun
    assert asked == [1] * (TRIES if retries else 1) + [2] * falls_back
    assert len(outcome.recorder.attempts) == len(asked)
    if retries:
        first, second, *_ = outcome.upstream.asked_at
        assert second - first >= fault.waits_s


def assert_end(outcome: Outcome, error: type[UpstreamError] | None, *, has_begun: bool) -> None:
    is_answered = error is None or (DECISIONS[error].goes_on and not has_begun)
    if is_answered:
        assert outcome.raised is None
        assert isinstance(outcome.events[-1], Finish)
        text = "".join(e.text for e in outcome.events if isinstance(e, TextDelta))
        assert text == "Hello, 世界"
    else:
        assert outcome.raised is outcome.recorder.attempts[0].failure
        assert not any(isinstance(event, Finish) for event in outcome.events)
