"""What a request has cost, with all its steps and nothing of its neighbours."""

from __future__ import annotations

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from providers.engine.call import MOST_STEPS, step_id
from providers.ledger import receipts
from providers.models import Entry


def an_entry(reservation_id: UUID, cost: int | None = 5, attempt: int = 1) -> None:
    Entry.objects.create(
        reservation_id=reservation_id, attempt=attempt, source="gateway", cost_nano=cost
    )


@pytest.mark.django_db
def test_a_receipt_adds_up_every_step_and_every_attempt() -> None:
    run, neighbour = uuid7(), uuid7()
    an_entry(step_id(run, 1), 1)
    an_entry(step_id(run, 1), 10, attempt=2)
    an_entry(step_id(run, 2), 100)
    an_entry(step_id(run, MOST_STEPS), 1_000)
    an_entry(neighbour, 7)
    found, next_one = receipts.of_request(run), receipts.of_request(neighbour)
    assert found is not None
    assert next_one is not None
    assert (found.cost_nano, next_one.cost_nano) == (1_111, 7)


@pytest.mark.django_db
def test_one_unknown_step_makes_the_whole_unknown() -> None:
    run = uuid7()
    an_entry(step_id(run, 1), 1)
    an_entry(step_id(run, 2), None)
    found = receipts.of_request(run)
    assert found is not None
    assert found.cost_nano is None


@pytest.mark.django_db
def test_nothing_booked_is_no_receipt() -> None:
    assert receipts.of_request(uuid7()) is None


def test_the_first_step_has_the_runs_own_id() -> None:
    run = uuid7()
    assert step_id(run, 1) == run
    assert run < step_id(run, 2) < step_id(run, 3)
