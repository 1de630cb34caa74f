"""What is sent: the system prompt and the path through the tree, trimmed to a stated bound."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from conversations import attachments
from conversations.models import Conversation, Message
from providers.engine.request import Image, Role, Text
from providers.engine.request import Message as Prompt

MAX_CHARACTERS = 200_000
"""About 50,000 tokens of English: what fits the models of today with room for an answer."""
MAX_MESSAGES = 200


@dataclass(frozen=True, slots=True)
class Context:
    """`left_out`: how many of the oldest messages were not sent."""

    messages: tuple[Prompt, ...]
    left_out: int

    @property
    def notice(self) -> str | None:
        if not self.left_out:
            return None
        which = "message was" if self.left_out == 1 else f"{self.left_out} messages were"
        return (
            f"The oldest {which} not sent: a prompt carries at most"
            f" {MAX_MESSAGES} messages and {MAX_CHARACTERS:,} characters."
        )


def build(conversation: Conversation, tip: Message) -> Context:
    """Take the path to `tip`, which is always sent whole; empty answers are skipped."""
    path = path_to(conversation, tip)
    pictures = attachments.images_of([message.id for message in path])
    said = [message for message in path if message.text or message.id in pictures]
    sent = _newest_that_fit(said, MAX_CHARACTERS - len(conversation.system_prompt))
    prompts = [_prompt(message, pictures.get(message.id, [])) for message in sent]
    if conversation.system_prompt:
        prompts.insert(0, Prompt.of(Role.SYSTEM, conversation.system_prompt))
    return Context(tuple(prompts), len(said) - len(sent))


def _prompt(message: Message, pictures: Sequence[Image]) -> Prompt:
    words = (Text(message.text),) if message.text else ()
    return Prompt(Role(message.role), (*words, *pictures))


def path_to(conversation: Conversation, tip: Message) -> list[Message]:
    """From the first message to `tip`."""
    by_id: dict[UUID, Message] = {
        message.id: message
        for message in conversation.messages.only("id", "parent_id", "role", "text")
    }
    path: list[Message] = []
    at: Message | None = tip
    while at is not None:
        path.append(at)
        at = by_id[at.parent_id] if at.parent_id else None
    return path[::-1]


def _newest_that_fit(said: Sequence[Message], room: int) -> list[Message]:
    """Start with a question: an answer that lost its own is left out too."""
    kept: list[Message] = []
    for message in reversed(said[-MAX_MESSAGES:]):
        room -= len(message.text)
        if kept and room < 0:
            break
        kept.append(message)
    while len(kept) > 1 and kept[-1].role == Role.ASSISTANT:
        kept.pop()
    return kept[::-1]
