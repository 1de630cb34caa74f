"""The same deployment again, where its error says that this may help; nobody else retries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from providers.engine.call import Attempt, Stream
from providers.engine.errors import UpstreamError
from providers.engine.events import Notice, NoticeKind
from providers.engine.first_to_open import FirstToOpen
from providers.engine.ports import Now, Open, Random, Sleep
from providers.engine.routes import Deployment

_SLOTS = 10


@dataclass(frozen=True, slots=True)
class RetryLimits:
    """Waits in seconds. A deployment's retries within `window_s` are at most `least` and `share`
    of its first tries, so that an outage is not made worse by us.
    """

    first_wait_s: float = 1.0
    longest_wait_s: float = 30.0
    share: float = 0.2
    least: int = 10
    window_s: float = 60.0


@dataclass(slots=True)
class RetryBudget:
    """First tries and retries of one deployment in a window that moves by a tenth of itself."""

    _slots: dict[int, tuple[int, int]] = field(default_factory=dict[int, tuple[int, int]])

    def note_first(self, now: float, limits: RetryLimits) -> None:
        self._add(now, limits, firsts=1, retries=0)

    def spend(self, now: float, limits: RetryLimits) -> bool:
        """Take one retry; False: there is none left now."""
        recent = self._recent(now, limits)
        firsts = sum(first for first, _ in recent.values())
        retries = sum(retry for _, retry in recent.values())
        if retries + 1 > limits.least + limits.share * firsts:
            return False
        self._add(now, limits, firsts=0, retries=1)
        return True

    def _add(self, now: float, limits: RetryLimits, *, firsts: int, retries: int) -> None:
        slot = _slot(now, limits)
        known = self._slots.get(slot)
        if known is None:
            self._slots = self._recent(now, limits)
            known = (0, 0)
        self._slots[slot] = (known[0] + firsts, known[1] + retries)

    def _recent(self, now: float, limits: RetryLimits) -> dict[int, tuple[int, int]]:
        slot = _slot(now, limits)
        return {at: both for at, both in self._slots.items() if slot - _SLOTS < at <= slot}


@dataclass(slots=True)
class Retry:
    """Exponential with full jitter; a wait that the server names wins over it.

    A named wait that does not fit into the attempt's time is not begun: the next deployment is
    asked at once. `limits` may be replaced at any time. `denied` is told of every retry that the
    budget did not allow.
    """

    now: Now
    sleep: Sleep
    random: Random
    denied: Callable[[Deployment], None]
    limits: RetryLimits = field(default_factory=RetryLimits)
    _budgets: dict[int, RetryBudget] = field(default_factory=dict[int, RetryBudget])

    def open(self, attempt: Attempt, open_next: Open[Attempt]) -> FirstToOpen:
        return FirstToOpen(partial(self._until_it_works, attempt, open_next))

    async def _until_it_works(
        self, attempt: Attempt, open_next: Open[Attempt], first: FirstToOpen
    ) -> Stream:
        budget = self._budgets.setdefault(attempt.deployment.id, RetryBudget())
        budget.note_first(self.now(), self.limits)
        tries = 0
        while True:
            tries += 1
            try:
                return await first.enter(open_next(attempt))
            except UpstreamError as error:
                wait = self._wait_before(tries + 1, attempt, error)
                if wait is None or not self._allows(budget, attempt.deployment):
                    raise
                attempt.call.notices.append(_notice(error, tries + 1))
            await self.sleep(wait)

    def _allows(self, budget: RetryBudget, deployment: Deployment) -> bool:
        if budget.spend(self.now(), self.limits):
            return True
        self.denied(deployment)
        return False

    def _wait_before(self, number: int, attempt: Attempt, error: UpstreamError) -> float | None:
        """Seconds until try `number`; None: there is none."""
        if not error.retry_here or number > attempt.deployment.max_attempts:
            return None
        wait = error.retry_after_s
        if wait is None:
            # Bounded before it is computed: a large power would overflow.
            ceiling = self.limits.first_wait_s * 2.0 ** min(number - 2, 16)
            wait = self.random() * min(ceiling, self.limits.longest_wait_s)
        return wait if self.now() + wait < attempt.deadline else None


def _slot(now: float, limits: RetryLimits) -> int:
    return int(now * _SLOTS // limits.window_s)


def _notice(error: UpstreamError, number: int) -> Notice:
    return Notice(NoticeKind.RETRY, f"{error.message} Try {number} follows.")
