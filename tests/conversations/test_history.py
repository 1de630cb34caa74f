"""A thread is its owner's."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from conversations import history
from conversations.choices import Choices
from conversations.models import Conversation, Message
from conversations.runs import book
from providers.models import Membership, Team, User


def begun(user: User, team: Team, title: str, minutes_ago: int = 0) -> Conversation:
    thread = history.begin(user, team, Choices("demo"))
    thread.title = title
    thread.updated_at = timezone.now() - timedelta(minutes=minutes_ago)
    thread.save()
    return thread


def test_nobody_else_sees_it_whatever_their_role(
    thread: Conversation, ada: User, ben: User, cleo: User
) -> None:
    ben.role = "owner"
    ben.save()
    assert list(history.owned_by(ada)) == [thread]
    assert not history.owned_by(ben).exists()
    assert not history.owned_by(cleo).exists()


def test_who_leaves_the_team_loses_sight_of_it(thread: Conversation, ada: User) -> None:
    Membership.objects.filter(user=ada).delete()
    assert not history.owned_by(ada).exists()


def test_pages_of_the_list_follow_each_other_without_gap(ada: User, team: Team) -> None:
    for n in range(5):
        begun(ada, team, f"t{n}", minutes_ago=n)
    titles, before = [], None
    while True:
        page = history.page(ada, team, before=before, size=2)
        titles += [thread.title for thread in page.conversations]
        before = page.next_before
        if before is None:
            break
    assert titles == ["t0", "t1", "t2", "t3", "t4"]


def test_the_list_is_one_query_that_reads_no_messages(
    ada: User, team: Team, django_assert_num_queries: object
) -> None:
    for n in range(3):
        book.begin(begun(ada, team, f"t{n}"), book.Question("A long text"), 1)
    with django_assert_num_queries(1) as seen:
        history.page(ada, team, query="t")
    assert "conversations_message" not in seen.captured_queries[0]["sql"]
    assert "system_prompt" not in seen.captured_queries[0]["sql"]


def test_the_list_is_searched_by_title(ada: User, team: Team) -> None:
    begun(ada, team, "Cats and dogs")
    begun(ada, team, "Budgets")
    assert [t.title for t in history.page(ada, team, query="DOG").conversations] == [
        "Cats and dogs"
    ]


def test_the_title_is_the_first_words_on_one_line() -> None:
    title = history.title_from("Explain\n\nthe difference between   " + "word " * 40)
    assert title.startswith("Explain the difference between word")
    assert len(title) <= history.TITLE_CHARACTERS


def test_a_name_given_by_its_owner_stays(thread: Conversation) -> None:
    book.begin(thread, book.Question("First words"), 1)
    thread.refresh_from_db()
    assert thread.title == "First words"
    history.rename(thread, "  Mine ")
    assert (thread.title, thread.title_is_own) == ("Mine", True)
    history.rename(thread, "")
    assert (thread.title, thread.title_is_own) == ("First words", False)


def test_deleting_can_be_undone_for_a_day(thread: Conversation, ada: User, ben: User) -> None:
    history.delete(thread)
    assert not history.owned_by(ada).exists()
    assert history.restore(ben, thread.pk) is None
    assert history.restore(ada, thread.pk) == thread
    history.delete(thread)
    assert history.sweep(timezone.now() + timedelta(hours=23)) == 0
    assert history.sweep(timezone.now() + timedelta(hours=25)) > 0


def test_the_transcript_shows_the_newest_branch_and_the_newest_part(
    thread: Conversation,
) -> None:
    parent = None
    for n in range(5):
        parent = Message.objects.create(
            conversation=thread, parent=parent, role="user", text=str(n)
        )
    Message.objects.create(conversation=thread, parent=parent.parent, role="user", text="branch")
    part = history.transcript(thread, size=3)
    assert [message.text for message in part.messages] == ["2", "3", "branch"]
    rest = history.transcript(thread, before=part.earlier, size=3)
    assert [message.text for message in rest.messages] == ["0", "1"]
    assert rest.earlier is None
