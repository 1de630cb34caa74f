"""How well it goes, 0..1, as deductions from 100 points that can be added up by hand.

One deployment, or all of a provider's together, lose points for their own errors, limits, stalls
and slowness, a resting breaker and a spent rate. The system loses points for what callers did not
get, and fewer for what a fallback had to repair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from providers.engine.ports import BreakerWord

FEW = 20


@dataclass(frozen=True, slots=True)
class Weights:
    """Points: for each percent of failed or limited attempts, for each time the usual wait, ...

    Less than `few` samples say something of the few callers, not of the system: they take nothing.
    """

    few: int = FEW
    error: float = 3.0
    limit: float = 1.0
    repaired: float = 1.0
    latency: float = 5.0
    open: float = 40.0
    half_open: float = 15.0
    saturation: float = 30.0
    database: float = 30.0
    cache: float = 10.0


@dataclass(frozen=True, slots=True)
class Window:
    """One deployment's attempts of the last minutes; only what says something of its health.

    `failed` are the provider's faults before its first word, `stalled` those after it. `ttft_ms`
    and `usual_ms` are the 95th percentile now and of 7 days; None: too few to tell. `used` is the
    share of its own rate limit that the last minute took; None: it has none. `probe_failed`: the
    last free question found a fault of the provider's, and nobody else has asked since.
    """

    ok: int = 0
    failed: int = 0
    limited: int = 0
    stalled: int = 0
    ttft_ms: int | None = None
    usual_ms: int | None = None
    used: float | None = None
    breaker: BreakerWord = BreakerWord.CLOSED
    probe_failed: bool = False

    @property
    def samples(self) -> int:
        return self.ok + self.failed + self.limited + self.stalled


@dataclass(frozen=True, slots=True)
class Vitals:
    """The installation itself. `open_calls` None: unknown. `database_ms`: one round trip."""

    requests: int = 0
    failed_requests: int = 0
    open_calls: int = 0
    capacity: int = 1000
    database_ms: float = 0.0
    cache_is_away: bool = False


@dataclass(frozen=True, slots=True)
class Deduction:
    """`counts` False: told for the sake of it, but few samples take nothing."""

    points: float
    reason: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """`samples` are attempts, for the system the requests of callers."""

    samples: int = 0
    deductions: tuple[Deduction, ...] = ()

    @property
    def points(self) -> float:
        """0..100, one decimal."""
        taken = sum(each.points for each in self.deductions if each.counts)
        return round(max(100.0 - taken, 0.0), 1)

    @property
    def value(self) -> float:
        return round(self.points / 100, 3)

    @property
    def is_few(self) -> bool:
        return self.samples < FEW

    @property
    def words(self) -> str:
        """Such as `100 - 18 (5.9 % provider errors) - 7 (first token 2.4x its usual) = 75`."""
        counted = [each for each in self.deductions if each.counts]
        terms = "".join(f" - {each.points:g} ({each.reason})" for each in counted)
        return f"100{terms} = {self.points:g}" if terms else "100, nothing taken off"

    def facts(self) -> list[dict[str, Any]]:
        """Give the deductions as JSON."""
        return [asdict(each) for each in self.deductions]

    @classmethod
    def of_facts(cls, samples: int, facts: Iterable[dict[str, Any]]) -> Score:
        return cls(samples, tuple(Deduction(**each) for each in facts))


def of_deployments(windows: Sequence[Window], weights: Weights) -> Score:
    """Score one deployment, or all of a provider's together."""
    samples = sum(each.samples for each in windows)
    found = [
        *_errors(windows, samples, weights),
        *_latency(windows, weights),
        *_breakers(windows, weights),
        *_rates(windows, weights),
        *_probes(windows, samples, weights),
    ]
    return Score(samples, tuple(found))


def of_system(windows: Sequence[Window], vitals: Vitals, weights: Weights) -> Score:
    """Score the whole: `windows` are all deployments that routes lead to."""
    found = [
        *_failed_requests(vitals, weights),
        *_breakers(windows, weights, _NOBODY_LEFT),
        *_repaired(windows, vitals, weights),
        *_latency(windows, weights),
        *_vitals(vitals, weights),
    ]
    return Score(vitals.requests, tuple(found))


def _errors(windows: Sequence[Window], samples: int, weights: Weights) -> Iterator[Deduction]:
    if not samples:
        return
    counted = (
        (sum(each.failed for each in windows), weights.error, "provider errors"),
        (sum(each.stalled for each in windows), weights.error, "stalled or cut off"),
        (sum(each.limited for each in windows), weights.limit, "limit errors"),
    )
    for count, weight, words in counted:
        if count:
            yield _of_share(count / samples, weight, words)


def _failed_requests(vitals: Vitals, weights: Weights) -> Iterator[Deduction]:
    if vitals.failed_requests:
        share = vitals.failed_requests / vitals.requests
        counts = vitals.requests >= weights.few
        yield _of_share(share, weights.error, "requests failed", counts=counts)


def _repaired(windows: Sequence[Window], vitals: Vitals, weights: Weights) -> Iterator[Deduction]:
    """Take for errors that cost callers time, and not their answer.

    A resting deployment has its own deduction, and so has what no fallback could repair.
    """
    awake = [each for each in windows if each.breaker is BreakerWord.CLOSED]
    samples = sum(each.samples for each in awake)
    failed = sum(each.failed + each.stalled + each.limited for each in awake)
    count = failed - vitals.failed_requests
    if count > 0:
        counts = samples >= weights.few
        yield _of_share(
            count / samples, weights.repaired, "attempts had to be repaired", counts=counts
        )


def _latency(windows: Sequence[Window], weights: Weights) -> Iterator[Deduction]:
    """Take for the slowness of each, by its share of the traffic; 20 points at most."""
    ratios = [(each.ok, _slowness(each)) for each in windows if each.ok]
    slow = sum(answers * max(ratio - 1.0, 0.0) for answers, ratio in ratios)
    if slow:
        ratio = 1.0 + slow / sum(answers for answers, _ in ratios)
        points = min((ratio - 1.0) * weights.latency, 20.0)
        if points >= 0.05:
            yield Deduction(round(points, 1), f"first token {ratio:.1f}x its usual")


def _slowness(window: Window) -> float:
    """Give how many times the usual wait it takes; less than twice, or a blink, is as usual."""
    if window.ttft_ms is None or window.usual_ms is None or window.ok < FEW:
        return 1.0
    ratio = window.ttft_ms / max(window.usual_ms, 1)
    is_felt = ratio >= _FELT_RATIO and window.ttft_ms - window.usual_ms >= _FELT_MS
    return ratio if is_felt else 1.0


def _breakers(
    windows: Sequence[Window], weights: Weights, if_all: float = 1.0
) -> Iterator[Deduction]:
    """Take by the share that rests; `if_all` times as much when none is left to answer."""
    total = len(windows)
    resting = sum(each.breaker is BreakerWord.OPEN for each in windows)
    trying = sum(each.breaker is BreakerWord.HALF_OPEN for each in windows)
    if resting:
        points = weights.open * (if_all if resting == total else resting / total)
        words = "its breaker is open", "breakers open"
        yield Deduction(round(points, 1), _which(resting, total, *words))
    if trying:
        points = weights.half_open * trying / total
        words = "its breaker is half-open", "breakers half-open"
        yield Deduction(round(points, 1), _which(trying, total, *words))


def _rates(windows: Sequence[Window], weights: Weights) -> Iterator[Deduction]:
    used = max((each.used or 0.0 for each in windows), default=0.0)
    if used > _BUSY:
        points = weights.saturation * min((used - _BUSY) / (1 - _BUSY), 1.0)
        yield Deduction(round(points, 1), f"{used:.0%} of its rate limit used")


def _probes(windows: Sequence[Window], samples: int, weights: Weights) -> Iterator[Deduction]:
    failed = sum(each.probe_failed for each in windows)
    if failed and not samples:
        points = weights.open * failed / len(windows)
        yield Deduction(
            round(points, 1), _which(failed, len(windows), "its probe failed", "probes failed")
        )


def _vitals(vitals: Vitals, weights: Weights) -> Iterator[Deduction]:
    load = vitals.open_calls / vitals.capacity
    if load > _BUSY:
        points = weights.saturation * min((load - _BUSY) / (1 - _BUSY), 1.0)
        counted = f"{vitals.open_calls:,} of {vitals.capacity:,} calls at once"
        yield Deduction(round(points, 1), counted)
    slow = (vitals.database_ms - _QUICK_MS) / (_DEAD_MS - _QUICK_MS)
    if slow > 0:
        points = weights.database * min(slow, 1.0)
        yield Deduction(round(points, 1), f"database answers in {vitals.database_ms:,.0f} ms")
    if vitals.cache_is_away:
        yield Deduction(weights.cache, "Redis is away")


def _of_share(share: float, weight: float, words: str, *, counts: bool = True) -> Deduction:
    points = min(share * 100 * weight, 100.0)
    return Deduction(round(points, 1), f"{share * 100:.3g} % {words}", counts)


def _which(count: int, total: int, alone: str, many: str) -> str:
    return alone if total == 1 else f"{count} of {total} {many}"


_BUSY = 0.8
_FELT_RATIO = 1.5
_FELT_MS = 200
_QUICK_MS = 100.0
_DEAD_MS = 1000.0
_NOBODY_LEFT = 1.5
