"""How much callers may ask: everybody alike, single ones otherwise, and what a day has used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """Requests and tokens a minute, and requests open at once. None: no limit."""

    requests: int | None = None
    tokens: int | None = None
    parallel: int | None = None


@dataclass(frozen=True, slots=True)
class Quotas:
    """What every key, person and team may ask; `playground` is a person's there, on top."""

    key: Quota = field(default_factory=lambda: Quota(parallel=1024))
    user: Quota = field(default_factory=Quota)
    team: Quota = field(default_factory=Quota)
    playground: Quota = field(default_factory=lambda: Quota(parallel=64))


@dataclass(frozen=True, slots=True)
class Own:
    """What one key, person or team may ask instead. None: what everybody may.

    `daily_tokens` is a limit a day, which only such a quota has.
    """

    requests: int | None = None
    tokens: int | None = None
    parallel: int | None = None
    daily_tokens: int | None = None

    def over(self, every: Quota) -> Quota:
        return Quota(
            every.requests if self.requests is None else self.requests,
            every.tokens if self.tokens is None else self.tokens,
            every.parallel if self.parallel is None else self.parallel,
        )


@dataclass(frozen=True, slots=True)
class Today:
    """Tokens used of the day by scope, such as `key:5`; the day ends at `ends`, in `time_zone`."""

    used: Mapping[str, int]
    ends: datetime
    time_zone: str
