"""`kill -9` at each named point of a prompt: every cent is settled, or held by rule."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from providers.ledger import check, recovery
from tests.forked import FORKED
from tests.providers.ledger.dying import COST, HELD, Point, prompt_until
from tests.providers.ledger.ledgers import Books

TTL = timedelta(seconds=900)
# Spent and held, in dollars: as the dead process left it, and once its deadline is past.
LEFT = {
    Point.BEFORE_INTENT: (0, 0),
    Point.AFTER_INTENT: (0, HELD),
    Point.BEFORE_FIRST_BYTE: (0, HELD),
    Point.IN_MID_STREAM: (0, HELD),
    Point.BEFORE_SETTLE: (0, HELD),
    Point.AFTER_SETTLE: (COST, 0),
    Point.ENDED: (COST, 0),
}
AFTER = {point: (spent + held, 0) for point, (spent, held) in LEFT.items()}
ENTRIES = """
SELECT status, is_unconfirmed, is_estimated FROM providers_entry WHERE team_id = %s
"""


class Killed:
    """One process for each point, each of a team with a budget of its own."""

    def __init__(self, books: Books, conninfo: str) -> None:
        self.books = books
        self.conninfo = conninfo
        self.teams = {point: books.team(f"dies {point}") for point in Point}
        self.budgets = {
            point: books.budget(100, "team", team_id=team) for point, team in self.teams.items()
        }
        # Otherwise the first batch of a process only says that they are missing.
        books.own.execute(
            "SELECT ledger_open_windows(%s::bigint[], now())", [list(self.budgets.values())]
        )

    def go(self, points: dict[Point, Point]) -> None:
        """Let a process of each team go as far as its point, all at once, and kill them there."""
        started = [self._start(team, until) for team, until in points.items()]
        try:
            for _, until, said in started:
                assert said.poll(30), f"it never came to '{until}'"
                assert said.recv() == until
        finally:
            for process, _, said in started:
                os.kill(process.pid, signal.SIGKILL)
                process.join(10)
                assert process.exitcode == -signal.SIGKILL
                process.close()
                said.close()

    def counters(self) -> dict[Point, tuple[float, float]]:
        return {point: self.books.counters(budget) for point, budget in self.budgets.items()}

    def _start(self, team: Point, until: Point) -> tuple[Any, Point, Any]:
        said, speaks = FORKED.Pipe()
        process = FORKED.Process(
            target=prompt_until, args=(until, self.conninfo, self.teams[team], speaks)
        )
        process.start()
        speaks.close()
        return process, until, said


@pytest.fixture
def killed(books: Books, conninfo: str) -> Iterator[Killed]:
    killed = Killed(books, conninfo)
    killed.go({point: point for point in Point})
    return killed


def test_killed_at_any_point_every_cent_is_settled_or_held_and_then_booked_by_rule(
    killed: Killed, books: Books
) -> None:
    assert killed.counters() == LEFT
    now = timezone.now()
    recovery.expire(now + TTL - timedelta(minutes=2))
    assert killed.counters() == LEFT, "a hold may not be resolved before its deadline"
    assert check.run(now).is_clean
    overdue = check.run(now + TTL + check.GRACE + timedelta(minutes=1))
    assert any("4 holds have outlived" in words for words in overdue.differences)

    recovery.expire(now + TTL + timedelta(minutes=1))
    assert killed.counters() == AFTER
    assert check.run(now + TTL + timedelta(hours=1)).differences == ()
    for point, team in killed.teams.items():
        booked = books.all(ENTRIES, team)
        is_by_rule = LEFT[point][1] > 0
        if point is Point.BEFORE_INTENT:
            assert booked == []
        else:
            assert booked == [("expired", True, True) if is_by_rule else ("ok", False, False)]

    # The process that takes its place spends on, from what the books say.
    killed.go(dict.fromkeys(Point, Point.ENDED))
    assert killed.counters() == {point: (spent + COST, 0) for point, (spent, _) in AFTER.items()}
    assert check.run(now + TTL).is_clean
