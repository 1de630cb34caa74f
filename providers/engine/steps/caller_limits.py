"""How much a key, a person and a team may ask: requests and tokens a minute, open at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import ceil
from zoneinfo import ZoneInfo

from providers.engine.call import Call, Caller, Source, Stream
from providers.engine.errors import RateLimited, Remaining
from providers.engine.needs import expected_tokens
from providers.engine.ports import Draw, Lease, Limiter, Open, Taken, UtcNow
from providers.engine.quotas import Own, Quota, Quotas, Today

_MINUTE_S = 60.0
_REQUESTS, _TOKENS = "requests", "tokens"
_WHOM = "An owner can raise it."


@dataclass(frozen=True, slots=True)
class _Wish:
    draws: list[Draw]
    leases: list[Lease]


@dataclass(slots=True)
class CallerLimits:
    """All limits of a call are taken at once or none is. Probes are nobody's and not limited.

    What was refused does not count, also when a later step refused it before anything was sent.
    Tokens are drawn as expected and corrected in the end. `quotas` may be replaced at any time,
    and so may `own`, the quotas of single scopes by name, and `today`, what was used of their
    limits a day. Those admit whoever asks before the limit is reached; what this process used
    since `today` was read is added to it.
    `lease_ttl_s` must outlast the longest answer; after it the place of a process that died is
    free.
    """

    limiter: Limiter
    utcnow: UtcNow
    quotas: Quotas = field(default_factory=Quotas)
    lease_ttl_s: float = 900.0
    own: Mapping[str, Own] = field(default_factory=dict[str, Own])
    _today: Today | None = None
    _since: dict[str, int] = field(default_factory=dict[str, int])

    @property
    def today(self) -> Today | None:
        return self._today

    @today.setter
    def today(self, found: Today) -> None:
        self._today = found
        self._since = {}

    def open(self, call: Call, open_next: Open[Call]) -> AbstractAsyncContextManager[Stream]:
        if self.own:
            self._check_day(call)
        wish = self._wish(call)
        is_limited = wish.draws or wish.leases or self.own
        return self._open(call, wish, open_next) if is_limited else open_next(call)

    @asynccontextmanager
    async def _open(self, call: Call, wish: _Wish, open_next: Open[Call]) -> AsyncGenerator[Stream]:
        taken = await self.limiter.take(wish.draws, wish.leases)
        call.remaining = _remaining(wish.draws, taken.levels)
        if taken.short is not None:
            raise _refusal(taken.short, taken, call)
        is_refused = True
        try:
            async with open_next(call) as stream:
                is_refused = False
                yield stream
        finally:
            self.limiter.release(wish.leases)
            self._settle(call, wish.draws, is_refused=is_refused and not call.attempts)

    def _check_day(self, call: Call) -> None:
        """Raise RateLimited where a limit a day is reached."""
        if self._today is None or self._today.ends <= self.utcnow():
            return
        for who, _ in self._scopes(call.caller):
            limit = self.own[who].daily_tokens if who in self.own else None
            used = self._today.used.get(who, 0) + self._since.get(who, 0)
            if limit is not None and used >= limit:
                raise _day_is_over(who, limit, self._today, self.utcnow())

    def _settle(self, call: Call, draws: list[Draw], *, is_refused: bool) -> None:
        used = sum(
            record.usage.input_tokens + record.usage.output_tokens
            for record in call.attempts
            if record.usage is not None
        )
        if self.own:
            for who, _ in self._scopes(call.caller):
                self._since[who] = self._since.get(who, 0) + used
        tokens = [
            replace(draw, amount=draw.amount - used)
            for draw in draws
            if draw.key.endswith(_TOKENS) and draw.amount != used
        ]
        requests = [draw for draw in draws if draw.key.endswith(_REQUESTS)]
        back = tokens + requests if is_refused else tokens
        if back:
            self.limiter.put(back)

    def _wish(self, call: Call) -> _Wish:
        wish = _Wish([], [])
        expected: int | None = None
        for who, quota in self._scopes(call.caller):
            if quota.requests is not None:
                wish.draws.append(_minutes(f"{who}:{_REQUESTS}", 1, quota.requests))
            if quota.tokens is not None:
                if expected is None:
                    most = max(each.max_output_tokens for each in call.route.deployments)
                    expected = expected_tokens(call.request, most)
                wish.draws.append(_minutes(f"{who}:{_TOKENS}", expected, quota.tokens))
            if quota.parallel is not None:
                wish.leases.append(Lease(who, str(call.id), quota.parallel, self.lease_ttl_s))
        return wish

    def _scopes(self, caller: Caller) -> Iterator[tuple[str, Quota]]:
        if caller.source is Source.PROBE:
            return
        if caller.key_id is not None:
            yield self._of(f"key:{caller.key_id}", self.quotas.key)
        if caller.user_id is not None:
            yield self._of(f"user:{caller.user_id}", self.quotas.user)
            if caller.source is Source.PLAYGROUND:
                yield f"playground:{caller.user_id}", self.quotas.playground
        if caller.team_id is not None:
            yield self._of(f"team:{caller.team_id}", self.quotas.team)

    def _of(self, who: str, every: Quota) -> tuple[str, Quota]:
        own = self.own.get(who)
        return who, every if own is None else own.over(every)


def _minutes(key: str, amount: float, most: int) -> Draw:
    """Draw of a limit a minute; a prompt larger than it passes alone, when the bucket is full."""
    return Draw(key, min(amount, most), most / _MINUTE_S, most)


def _remaining(draws: list[Draw], levels: tuple[float, ...]) -> tuple[Remaining, ...]:
    """Tell for requests and for tokens what the tightest of their limits leaves."""
    found: dict[str, Remaining] = {}
    for draw, level in zip(draws, levels, strict=False):
        what = draw.key.rpartition(":")[2]
        left = Remaining(
            what=what,
            limit=round(draw.burst),
            left=max(int(level), 0),
            full_in_s=max((draw.burst - level) / draw.rate, 0.0),
        )
        if what not in found or left.left < found[what].left:
            found[what] = left
    return tuple(found.values())


def _day_is_over(who: str, limit: int, today: Today, now: datetime) -> RateLimited:
    wait_s = (today.ends - now).total_seconds()
    local = today.ends.astimezone(ZoneInfo(today.time_zone))
    return RateLimited(
        f"This {who.partition(':')[0]} has used its {limit:,} tokens of today. It may ask again"
        f" on {local:%-d %B at %H:%M} ({today.time_zone}). {_WHOM}",
        retry_after_s=wait_s,
    )


def _refusal(short: Draw | Lease, taken: Taken, call: Call) -> RateLimited:
    who = short.key.partition(":")[0]
    whose = "Your prompts in the playground" if who == "playground" else f"This {who}"
    if isinstance(short, Lease):
        verb = "have" if who == "playground" else "already has"
        message = f"{whose} {verb} {short.most} requests open, which is the limit. {_WHOM}"
        return RateLimited(message, retry_after_s=1.0, remaining=call.remaining)
    what = short.key.rpartition(":")[2]
    verb = "are" if who == "playground" else "is"
    again = "" if taken.wait_s is None else f" Ask again in {max(1, ceil(taken.wait_s))} s."
    message = f"{whose} {verb} at the limit of {short.burst:,.0f} {what} a minute.{again} {_WHOM}"
    return RateLimited(message, retry_after_s=taken.wait_s, remaining=call.remaining)
