"""A person's conversations: begun, found, named, dropped. Each is seen by its owner alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Prefetch, Q, QuerySet
from django.utils import timezone

from conversations.choices import Choices
from conversations.models import Attachment, Conversation, Message
from providers.models import OrganisationRole, Team, User

TITLE_CHARACTERS = 60
PAGE = 40
TRANSCRIPT_PAGE = 30
UNDO_LIFE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list, newest first. `next_before` None: it is the last."""

    conversations: list[Conversation]
    next_before: UUID | None


@dataclass(frozen=True, slots=True)
class Transcript:
    """The newest part of the path, oldest first. `earlier` is the message before it, if any."""

    messages: list[Message]
    earlier: UUID | None


def owned_by(user: User) -> QuerySet[Conversation]:
    """Only in teams that the person may still spend for."""
    return _written_by(user).filter(deleted_at=None).select_related("team")


def _written_by(user: User) -> QuerySet[Conversation]:
    written = Conversation.objects.filter(user=user)
    if user.role == OrganisationRole.OWNER:
        return written
    return written.filter(team__memberships__user=user)


def begin(user: User, team: Team, choices: Choices) -> Conversation:
    """Start an empty thread in `team`, which pays for it."""
    return Conversation.objects.create(
        user=user,
        team=team,
        route=choices.route,
        system_prompt=choices.system_prompt,
        parameters=choices.parameters,
    )


def choose(conversation: Conversation, choices: Choices) -> None:
    conversation.route = choices.route
    conversation.system_prompt = choices.system_prompt
    conversation.parameters = choices.parameters
    conversation.save(update_fields=["route", "system_prompt", "parameters"])


def page(
    user: User, team: Team, *, before: UUID | None = None, query: str = "", size: int = PAGE
) -> Page:
    """List the titles of a team's threads by time of their last change; bodies are not read."""
    found = owned_by(user).filter(team=team)
    if query:
        found = found.filter(title__icontains=query)
    if before and (last := owned_by(user).filter(pk=before).first()):
        found = found.filter(
            Q(updated_at__lt=last.updated_at) | Q(updated_at=last.updated_at, id__lt=last.id)
        )
    rows = list(
        found.only("id", "title", "updated_at", "team_id", "route").order_by("-updated_at", "-id")[
            : size + 1
        ]
    )
    more = len(rows) > size
    return Page(rows[:size], rows[size - 1].id if more else None)


def rename(conversation: Conversation, title: str) -> None:
    """From now on nothing renames it but its owner; an empty title gives that up again."""
    own = title.replace("\x00", "").strip()[:200]
    conversation.title = own or _first_words(conversation)
    conversation.title_is_own = bool(own)
    conversation.save(update_fields=["title", "title_is_own"])


def title_from(text: str) -> str:
    """Take the first words that fit, on one line."""
    line = " ".join(text.split())
    if len(line) <= TITLE_CHARACTERS:
        return line
    return line[: TITLE_CHARACTERS - 1].rsplit(" ", 1)[0].rstrip() + "…"


def delete(conversation: Conversation) -> None:
    """Hide it; `sweep` drops it for good a day later, so that a slip can be undone."""
    conversation.deleted_at = timezone.now()
    conversation.save(update_fields=["deleted_at"])


def restore(user: User, conversation_id: UUID) -> Conversation | None:
    """Undo a deletion; None: there is nothing of theirs to take back."""
    conversation = deleted_by(user, conversation_id)
    if conversation is not None:
        conversation.deleted_at = None
        conversation.save(update_fields=["deleted_at"])
    return conversation


def sweep(now: datetime) -> int:
    """Drop what was deleted long enough ago; answer how many rows."""
    return Conversation.objects.filter(deleted_at__lt=now - UNDO_LIFE).delete()[0]


def deleted_by(user: User, conversation_id: UUID) -> Conversation | None:
    return _written_by(user).filter(pk=conversation_id).exclude(deleted_at=None).first()


def transcript(
    conversation: Conversation, *, before: UUID | None = None, size: int = TRANSCRIPT_PAGE
) -> Transcript:
    """Read the path to the newest answer; `before` is the `earlier` of the part below."""
    path = _newest_path(conversation)
    end = path.index(before) + 1 if before in path else len(path)
    ids = path[max(end - size, 0) : end]
    rows = with_answers().in_bulk(ids)
    earlier = path[end - size - 1] if end > size else None
    return Transcript([rows[message_id] for message_id in ids], earlier)


def tip(conversation: Conversation) -> UUID | None:
    path = _newest_path(conversation)
    return path[-1] if path else None


def message_of(user: User, message_id: UUID) -> Message | None:
    found = with_answers().filter(conversation__in=owned_by(user), pk=message_id)
    return found.select_related("generation__run", "conversation").first()


def with_answers() -> QuerySet[Message]:
    """Messages with all that is shown of them; of pictures not their bytes."""
    pictures = Prefetch("attachments", Attachment.objects.defer("data").order_by("id"))
    return Message.objects.select_related("generation__run").prefetch_related(pictures)


def _newest_path(conversation: Conversation) -> list[UUID]:
    """Ids from the first message down; at each fork the newest branch."""
    newest_child: dict[UUID | None, UUID] = dict(
        conversation.messages.order_by("id").values_list("parent_id", "id")
    )
    path: list[UUID] = []
    at = newest_child.get(None)
    while at is not None:
        path.append(at)
        at = newest_child.get(at)
    return path


def _first_words(conversation: Conversation) -> str:
    first = conversation.messages.filter(parent=None).order_by("id").first()
    return title_from(first.text) if first else ""
