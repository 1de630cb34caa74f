"""Pictures that belong to a question: taken in, shown, sent as data URLs."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile

from conversations import history
from conversations.models import Attachment, Message
from providers.engine.request import Image
from providers.models import User

MOST = 4
MOST_BYTES = 5 * 1024 * 1024
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
"""What providers take, by their first bytes: what a browser says of a file is only a guess."""


class AttachmentRefused(Exception):
    """The words say why and are safe to show."""


@dataclass(frozen=True, slots=True)
class Picture:
    name: str
    media_type: str
    data: bytes


def read_pictures(files: Sequence[UploadedFile]) -> list[Picture]:
    """Read and check what was uploaded. Raises AttachmentRefused."""
    if len(files) > MOST:
        raise AttachmentRefused(f"A message takes at most {MOST} pictures; leave some out.")
    return [_picture(file) for file in files]


def keep(message: Message, pictures: Iterable[Picture]) -> None:
    Attachment.objects.bulk_create(
        Attachment(message=message, name=each.name, media_type=each.media_type, data=each.data)
        for each in pictures
    )


def images_of(message_ids: Sequence[UUID]) -> dict[UUID, list[Image]]:
    """By message, in order, as a prompt carries them."""
    found: dict[UUID, list[Image]] = {}
    for row in Attachment.objects.filter(message_id__in=message_ids).order_by("id"):
        encoded = base64.b64encode(bytes(row.data)).decode()
        image = Image(f"data:{row.media_type};base64,{encoded}")
        found.setdefault(row.message_id, []).append(image)
    return found


def of(user: User, attachment_id: UUID) -> Attachment | None:
    """Find it among the asker's own threads."""
    return Attachment.objects.filter(
        pk=attachment_id, message__conversation__in=history.owned_by(user)
    ).first()


def _picture(file: UploadedFile) -> Picture:
    name = (file.name or "")[:120]
    if (file.size or 0) > MOST_BYTES:
        raise AttachmentRefused(
            f"{name} has {(file.size or 0) / 2**20:.1f} MB; a picture has at most"
            f" {MOST_BYTES // 2**20} MB."
        )
    data = file.read()
    return Picture(name, _kind(name, data), data)


def _kind(name: str, data: bytes) -> str:
    for beginning, media_type in _KINDS:
        if data.startswith(beginning):
            return media_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    raise AttachmentRefused(f"{name} is no PNG, JPEG, GIF or WebP picture.")
