"""What is sent."""

from __future__ import annotations

from conversations import context
from conversations.models import Conversation, Message


def say(thread: Conversation, parent: Message | None, role: str, text: str) -> Message:
    return Message.objects.create(conversation=thread, parent=parent, role=role, text=text)


def sent(thread: Conversation, tip: Message) -> list[str]:
    return [message.text for message in context.build(thread, tip).messages]


def test_only_the_path_to_the_question_is_sent(thread: Conversation) -> None:
    first = say(thread, None, "user", "one")
    left_aside = say(thread, first, "assistant", "wrong")
    answer = say(thread, first, "assistant", "right")
    say(thread, left_aside, "user", "elsewhere")
    tip = say(thread, answer, "user", "two")
    assert sent(thread, tip) == ["Be brief.", "one", "right", "two"]


def test_an_empty_answer_is_not_sent(thread: Conversation) -> None:
    first = say(thread, None, "user", "one")
    failed = say(thread, first, "assistant", "")
    tip = say(thread, failed, "user", "two")
    assert sent(thread, tip) == ["Be brief.", "one", "two"]


def test_what_does_not_fit_is_left_out_from_the_oldest_and_said(thread: Conversation) -> None:
    first = say(thread, None, "user", "x" * context.MAX_CHARACTERS)
    answer = say(thread, first, "assistant", "an answer")
    tip = say(thread, answer, "user", "two")
    built = context.build(thread, tip)
    assert [message.text for message in built.messages] == ["Be brief.", "two"]
    assert built.left_out == 2
    assert "2 messages were not sent" in built.notice


def test_the_question_is_sent_whole_however_long(thread: Conversation) -> None:
    tip = say(thread, None, "user", "x" * (context.MAX_CHARACTERS + 1))
    built = context.build(thread, tip)
    assert len(built.messages[-1].text) == context.MAX_CHARACTERS + 1
    assert built.notice is None
