"""Rows of a batch: taken by one worker only, for a time, and again when that worker is dead."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from conversations.batches import book
from conversations.batches.book import LEASE, MOST_FAULTS, Outcome, Taken
from conversations.models import BatchItem, BatchJob, BatchState, ItemState
from providers.engine.call import Source, step_id
from providers.models import Membership, Team, User
from tests.conversations.batches.conftest import Make
from tests.conversations.conftest import Person

NOW = timezone.now()
SECOND = timedelta(seconds=1)


@pytest.fixture
def team(db: None) -> Team:
    """Nothing here is read by another connection, so that nothing has to be committed."""
    return Team.objects.create(name="Search", slug="search")


@pytest.fixture
def batch(batch_of: Make) -> BatchJob:
    return batch_of("red", "green", "blue")


def soon() -> Any:
    return timezone.now() + SECOND


def states(batch: BatchJob) -> list[str]:
    return list(batch.items.order_by("number").values_list("state", flat=True))


def answered(taken: Taken, text: str = "An answer.") -> bool:
    return book.keep(taken, Outcome(text=text, cost_nano=7), soon())


def test_a_row_is_asked_as_its_batch_says_and_paid_by_its_team(batch: BatchJob) -> None:
    (taken,) = book.take(1, soon())
    assert [message.text for message in taken.request.messages] == ["Be brief.", "red"]
    assert (taken.request.route, taken.request.temperature) == ("demo", 0.5)
    assert taken.request.max_output_tokens == 300
    caller = taken.caller
    assert (caller.source, caller.team_id) == (Source.BATCH, batch.team_id)
    assert (caller.user_id, caller.tag) == (batch.user_id, "tags")


def test_no_row_is_taken_twice_while_its_lease_lasts(batch: BatchJob) -> None:
    now = soon()
    first, second = book.take(2, now), book.take(5, now)
    assert [taken.request.messages[-1].text for taken in first + second] == ["red", "green", "blue"]
    assert book.take(5, now + LEASE - SECOND) == []


def test_a_row_whose_worker_died_is_asked_again_under_another_id(batch: BatchJob) -> None:
    now = soon()
    (lost, *_) = book.take(3, now)
    again = book.take(3, now + LEASE)
    assert again[0].item_id == lost.item_id
    assert again[0].request.id == step_id(lost.item_id, 2) != lost.request.id == lost.item_id
    # Who was only slow, and not dead, comes too late with the answer.
    assert not answered(lost, "late")
    assert answered(again[0], "in time")
    row = BatchItem.objects.get(pk=lost.item_id)
    assert (row.text, row.tries, row.faults, row.lost) == ("in time", 2, 1, 1)


def test_who_lives_keeps_what_it_took(batch: BatchJob) -> None:
    now = soon()
    held = book.take(3, now)
    book.renew(held, now + LEASE / 2)
    assert book.take(3, now + LEASE) == []


def test_an_answer_that_is_stored_is_never_asked_for_again(batch: BatchJob) -> None:
    now = soon()
    for taken in book.take(3, now):
        answered(taken)
    assert book.take(3, now + 10 * LEASE) == []
    batch.refresh_from_db()
    assert (batch.state, states(batch)) == (BatchState.DONE, [ItemState.DONE] * 3)


def test_a_row_that_ends_its_workers_fails_at_last(batch: BatchJob) -> None:
    now = soon()
    for round_ in range(MOST_FAULTS):
        assert len(book.take(3, now + round_ * LEASE)) == 3
    assert book.take(3, now + MOST_FAULTS * LEASE) == []
    assert states(batch) == [ItemState.FAILED] * 3
    assert book.finish(now) == 1
    assert batch.items.first().error["code"] == "interrupted"


def test_a_pause_takes_nothing_and_going_on_takes_the_rest(batch: BatchJob) -> None:
    now = soon()
    (taken,) = book.take(1, now)
    assert book.pause(batch.pk, "The budget is used up.")
    assert book.take(3, now) == []
    assert answered(taken)
    batch.refresh_from_db()
    assert (batch.state, batch.reason) == (BatchState.PAUSED, "The budget is used up.")
    assert book.start(batch, now)
    assert len(book.take(3, now)) == 2


def test_what_is_under_way_at_a_cancellation_is_kept_and_nothing_else_is_asked(
    batch: BatchJob,
) -> None:
    now = soon()
    first, second = book.take(2, now)
    assert book.cancel(batch, now)
    assert answered(first)
    book.put_back(second, now, {"code": "stopped", "message": "Stopped."}, is_fault=False)
    assert states(batch) == [ItemState.DONE, ItemState.CANCELLED, ItemState.CANCELLED]
    assert book.take(3, now + LEASE) == []
    assert not book.cancel(batch, now)


def test_what_failed_or_was_cancelled_is_asked_again_on_demand(batch: BatchJob) -> None:
    now = soon()
    good, bad, _ = book.take(3, now)
    answered(good)
    book.keep(bad, Outcome(error={"code": "x", "message": "No."}), now)
    assert book.retry(batch, now) == 0
    book.cancel(batch, now)
    assert book.retry(batch, now) == 1
    (again,) = book.take(3, now)
    assert (again.item_id, again.faults, again.tries) == (bad.item_id, 0, 2)


def test_each_batch_has_its_share_and_the_one_with_fewest_under_way_comes_first(
    batch: BatchJob, batch_of: Make
) -> None:
    now = soon()
    book.take(2, now)
    other = batch_of("one", "two", "three", "four")
    taken = book.take(3, soon())
    assert [each.batch_id for each in taken] == [other.pk, other.pk, batch.pk]


def test_who_may_not_spend_for_the_team_any_more_has_their_batch_paused(
    batch: BatchJob, ada: User
) -> None:
    Membership.objects.filter(user=ada).update(role="viewer")
    assert book.take(3, soon()) == []
    batch.refresh_from_db()
    assert batch.state == BatchState.PAUSED
    assert batch.reason == "ada@example.org may not run prompts for this team any more."


def test_only_an_idle_batch_is_deleted_and_old_drafts_go_by_themselves(
    batch: BatchJob, batch_of: Make
) -> None:
    assert not book.delete(batch)
    book.cancel(batch, soon())
    assert book.delete(batch)
    draft = batch_of("red", is_started=False)
    assert book.sweep(draft.created_at + book.DRAFT_LIFE) == 0
    assert book.sweep(draft.created_at + book.DRAFT_LIFE + SECOND) > 0
    assert not BatchJob.objects.exists()


def test_nobody_else_finds_it_and_who_left_the_team_does_not_either(
    batch: BatchJob, ada: User, ben: User, person: Person
) -> None:
    owner = person("olga", role=None)
    owner.role = "owner"
    found: dict[str, list[UUID]] = {
        user.email: [each.pk for each in book.owned_by(user)] for user in (ada, ben, owner)
    }
    assert found == {"ada@example.org": [batch.pk], "ben@example.org": [], "olga@example.org": []}
    Membership.objects.filter(user=ada).delete()
    assert not book.owned_by(ada).exists()
