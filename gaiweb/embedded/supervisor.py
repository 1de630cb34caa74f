"""Starts the web and the worker, joins their logs, starts again what died, stops in order."""

from __future__ import annotations

import asyncio
import io
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

_SHORTEST_REST_S, _LONGEST_REST_S, _HEALTHY_S = 0.5, 30.0, 30.0
# Beyond the web's own drain limit: its lifespan settles and closes after the last stream.
_GRACE_S = 15.0
_LINE_BYTES = 1 << 20
_TAIL_S = 0.5


@dataclass(frozen=True, slots=True)
class Program:
    """One child. `on_exit` learns the process id of each that ended."""

    name: str
    command: Sequence[str]
    environ: Mapping[str, str]
    on_exit: Callable[[int], None] = field(default=lambda _: None)


class Supervisor:
    """`keep_open` are locks that children inherit, so that they hold while any of them lives."""

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        drain_limit_s: float,
        keep_open: Sequence[int] = (),
        output: TextIO | None = None,
    ) -> None:
        self.programs = programs
        self.drain_limit_s = drain_limit_s
        self.keep_open = tuple(keep_open)
        self.output = output or sys.stdout
        self.stopping = asyncio.Event()
        self.children: dict[str, asyncio.subprocess.Process] = {}
        self.logs: list[tuple[str, Path, int]] = []

    def follow(self, name: str, log: Path) -> None:
        """Join the lines that somebody else's child adds to `log` from now on."""
        self.logs.append((name, log, log.stat().st_size if log.exists() else 0))

    async def run(self, when_started: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Return after a signal asked to stop and every child has ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_stop)
        watches = [asyncio.create_task(self._watch(program)) for program in self.programs]
        aside = [asyncio.create_task(self._tail(*log)) for log in self.logs]
        aside.append(asyncio.create_task(when_started()))
        await self.stopping.wait()
        await self._stop(watches)
        for task in aside:
            task.cancel()
        await asyncio.gather(*aside, return_exceptions=True)

    def say(self, line: str, name: str = "gaiweb") -> None:
        try:
            self.output.write(f"{name:<8} | {line}\n" if name else f"{line}\n")
            self.output.flush()
        except BrokenPipeError:
            # Whoever read our lines has gone; the servers are not to suffer for it.
            self.output = io.StringIO()

    def _asked_to_stop(self) -> None:
        if self.stopping.is_set():
            self._signal(signal.SIGKILL)
        self.stopping.set()

    async def _watch(self, program: Program) -> None:
        loop = asyncio.get_running_loop()
        rest = _SHORTEST_REST_S
        while not self.stopping.is_set():
            began = loop.time()
            code = await self._run_once(program)
            if self.stopping.is_set():
                return
            rest = _SHORTEST_REST_S if loop.time() - began > _HEALTHY_S else rest
            self.say(f"{program.name} ended with {code}; starting it again in {rest:g} s")
            await self._rest(rest)
            rest = min(2 * rest, _LONGEST_REST_S)

    async def _run_once(self, program: Program) -> int:
        child = await asyncio.create_subprocess_exec(
            *_bound_to_us(program.command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(program.environ),
            pass_fds=self.keep_open,
            start_new_session=True,
            limit=_LINE_BYTES,
        )
        self.children[program.name] = child
        try:
            await self._relay(program.name, child)
            return await child.wait()
        finally:
            del self.children[program.name]
            program.on_exit(child.pid)

    async def _relay(self, name: str, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None  # noqa: S101 - it was asked for
        while line := await _line(child.stdout):
            self.say(line.decode(errors="replace").rstrip("\n"), name)

    async def _tail(self, name: str, log: Path, seen: int) -> None:
        while not await self._rest(_TAIL_S):
            lines, seen = _added(log, seen)
            for line in lines:
                self.say(line, name)

    async def _rest(self, seconds: float) -> bool:
        """Return early, and True, when asked to stop."""
        try:
            return await asyncio.wait_for(self.stopping.wait(), seconds)
        except TimeoutError:
            return False

    async def _stop(self, watches: Sequence[asyncio.Task[None]]) -> None:
        self._signal(signal.SIGTERM)
        await asyncio.wait(watches, timeout=self.drain_limit_s + _GRACE_S)
        for name in self.children:
            self.say(f"{name} did not stop in time and is ended")
        self._signal(signal.SIGKILL)
        await asyncio.gather(*watches)

    def _signal(self, number: signal.Signals) -> None:
        for child in list(self.children.values()):
            if child.returncode is None:
                child.send_signal(number)


def _added(log: Path, seen: int) -> tuple[list[str], int]:
    with log.open("rb") as file:
        # Shorter than what was seen: it was begun anew.
        file.seek(seen if seen <= log.stat().st_size else 0)
        return file.read().decode(errors="replace").splitlines(), file.tell()


async def _line(lines: asyncio.StreamReader) -> bytes:
    """Read the next line; what is longer than the buffer comes in pieces."""
    try:
        return await lines.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await lines.readexactly(error.consumed)


def _bound_to_us(command: Sequence[str]) -> list[str]:
    """Let the kernel end the child when we die, even by `kill -9`."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig=TERM", "--", *command] if setpriv else list(command)
