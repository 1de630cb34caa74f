"""The engine's breakers on Redis: one circuit for all processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from providers.engine.circuit import Cause, Counted, words
from providers.engine.circuits import Adopted, LocalCircuits
from providers.engine.ports import (
    BreakerChange,
    BreakerLimits,
    BreakerState,
    BreakerWord,
    Changed,
    CircuitKey,
    Now,
    Outcome,
    Permit,
    Random,
    Resting,
)
from providers.state.ended import ended
from providers.state.redis_link import Away, RedisLink, Script

SCRIPT = Script("circuit.lua")
INDEX = "circuits"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What Redis said of a circuit, and when by our clock."""

    said: Mapping[str, Any]
    at: float

    @property
    def word(self) -> BreakerWord:
        return BreakerWord(self.said["word"])

    @property
    def counted(self) -> Counted:
        return Counted(*map(int, self.said["counted"]))

    def rest_s(self, now: float) -> float:
        return max(float(self.said["rest"]) / 1000 - (now - self.at), 0.0)


@dataclass(slots=True)
class RedisCircuits:
    """Implements `ports.Circuits`. While Redis is away `local` decides, and begins with what rests.

    Every `every_s` all circuits are read, so that pages and gauges show what other processes did.
    """

    link: RedisLink
    local: LocalCircuits
    now: Now
    random: Random
    every_s: float = 1.0
    _changed: Changed = field(default=lambda _: None)
    _seen: dict[CircuitKey, _Seen] = field(default_factory=dict[CircuitKey, _Seen])
    _limits: BreakerLimits = field(default_factory=BreakerLimits)
    _reading: asyncio.Task[None] | None = None

    def listen(self, changed: Changed) -> None:
        self._changed = changed
        self.local.listen(changed)

    async def start(self) -> None:
        self._reading = asyncio.create_task(self._keep_reading(), name="circuits")

    async def stop(self) -> None:
        if self._reading is not None:
            await ended(self._reading)

    async def admit(self, key: CircuitKey, limits: BreakerLimits) -> Permit | Resting:
        self._limits = limits
        try:
            said = await self._ask("admit", key)
        except Away:
            return await self.local.admit(key, limits)
        if said["permitted"]:
            return Permit(said["epoch"], is_shared=True)
        return Resting(said["rest"] / 1000 if said["word"] == BreakerWord.OPEN else None)

    def report(
        self, key: CircuitKey, permit: Permit, outcome: Outcome, limits: BreakerLimits
    ) -> None:
        self._limits = limits
        if permit.is_shared:
            self.link.behind(self._report(key, permit, outcome))
        else:
            self.local.report(key, permit, outcome, limits)

    def reset(self, deployment_id: int) -> None:
        self.local.reset(deployment_id)
        for key in list(self._seen):
            if key.deployment_id == deployment_id:
                # Should Redis go away before it hears of it, nothing may rest on.
                del self._seen[key]
                self.link.behind(self._quietly("reset", key))

    def snapshot(self, limits: BreakerLimits) -> list[BreakerState]:
        if not self.link.is_up:
            return self.local.snapshot(limits)
        return [self._state(key, seen) for key, seen in sorted(self._seen.items())]

    async def read(self) -> None:
        """Read every circuit that any process has asked within a day. Raises Away."""
        members = await self.link.members(INDEX)
        await asyncio.gather(*(self._ask("look", _key(member)) for member in members))

    async def _keep_reading(self) -> None:
        while True:
            with suppress(Away):
                await self.read()
            await asyncio.sleep(self.every_s)

    async def _report(self, key: CircuitKey, permit: Permit, outcome: Outcome) -> None:
        try:
            await self._ask("report", key, permit.epoch, outcome.value, self.random())
        except Away:
            self.local.note(key, outcome, self._limits)

    async def _quietly(self, operation: str, key: CircuitKey, *arguments: Any) -> None:
        with suppress(Away):
            await self._ask(operation, key, *arguments)

    async def _ask(self, operation: str, key: CircuitKey, *arguments: Any) -> dict[str, Any]:
        member = f"{key.deployment_id}|{key.credential}"
        head = [operation, member, _limits_json(self._limits), ""]
        said: dict[str, Any] = await self.link.call(
            SCRIPT, [f"circuit:{member}", INDEX], [*head, *arguments]
        )
        self._note(key, said)
        return said

    def _note(self, key: CircuitKey, said: dict[str, Any]) -> None:
        """Remember it, and tell of a transition: ours, or one that another process made."""
        old, new = self._seen.get(key), _Seen(said, self.now())
        self._seen[key] = new
        made_here = bool(said.get("before"))
        before = BreakerWord(said["before"]) if made_here else old.word if old else None
        if made_here or (before or BreakerWord.CLOSED) is not new.word:
            rest = new.rest_s(self.now()) if new.word is BreakerWord.OPEN else None
            change = BreakerChange(
                key,
                before or BreakerWord.CLOSED,
                new.word,
                self._words(new),
                rest,
                made_here=made_here,
            )
            self._changed(change)

    def _words(self, seen: _Seen) -> str:
        return words(Cause(seen.said["cause"]), seen.counted, self._limits)

    def _state(self, key: CircuitKey, seen: _Seen) -> BreakerState:
        rest, word = seen.rest_s(self.now()), seen.word
        if word is BreakerWord.OPEN and not rest:
            word = BreakerWord.HALF_OPEN
        opened = seen.said["opened"]
        return BreakerState(
            deployment_id=key.deployment_id,
            word=word,
            consecutive_failures=seen.counted.consecutive,
            opened_at=datetime.fromtimestamp(opened / 1000, UTC) if opened else None,
            retry_in_s=rest if word is BreakerWord.OPEN else None,
            credential=key.credential,
            failed=seen.counted.failed,
            total=seen.counted.total,
            reason="" if word is BreakerWord.CLOSED else self._words(seen),
            probes=seen.said["probes"],
            successes=seen.said["successes"],
        )

    def go_on_alone(self) -> None:
        """Begin without Redis: what was resting rests on."""
        for key, seen in self._seen.items():
            if seen.word is not BreakerWord.CLOSED:
                opened = datetime.fromtimestamp(seen.said["opened"] / 1000, UTC)
                cause, again = Cause(seen.said["cause"]), int(seen.said["again"])
                self.local.adopt(
                    key, Adopted(seen.rest_s(self.now()), again, cause, seen.counted, opened)
                )

    def tell_what_rests(self) -> None:
        """Tell Redis what was found out meanwhile; it takes it where its own circuit is closed."""
        for key, found in self.local.resting():
            counted = found.counted
            self.link.behind(
                self._quietly(
                    "adopt",
                    key,
                    round(found.rest_s * 1000),
                    found.again,
                    found.cause.value,
                    json.dumps([counted.consecutive, counted.failed, counted.total]),
                )
            )


def _key(member: str) -> CircuitKey:
    id, _, credential = member.partition("|")
    return CircuitKey(int(id), credential)


def _limits_json(limits: BreakerLimits) -> str:
    """Durations in milliseconds, by the names that the script uses."""
    return json.dumps({
        "threshold": limits.threshold,
        "rest": round(limits.rest_s * 1000),
        "probes": limits.probes,
        "successes": limits.successes,
        "longest_rest": round(limits.longest_rest_s * 1000),
        "window": round(limits.window_s * 1000),
        "volume": limits.volume,
        "error_rate": limits.error_rate,
        "probe": round(limits.probe_s * 1000),
    })
