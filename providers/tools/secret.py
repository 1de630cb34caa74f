"""The secret header of an HTTPS tool, sealed as a provider's key is: write-only after saving."""

from __future__ import annotations

from dataclasses import dataclass

from providers.credentials import hint, ring
from providers.credentials.envelope import Envelope, EnvelopeBroken, seal, unseal
from providers.credentials.ring import RingUnreadable
from providers.engine.tools import ToolFailed
from providers.models import Tool


@dataclass(frozen=True, slots=True)
class ToolBinding:
    tool_id: int

    def additional_data(self, part: str) -> bytes:
        return f"providers_tool:{part}:{self.tool_id}".encode()


def keep(tool: Tool, secret: str) -> None:
    """Seal it into the saved row; empty takes the old one away. Raises RingUnreadable."""
    if secret:
        envelope = seal(secret, ToolBinding(tool.pk), ring.load())
        tool.sealed, tool.wrapped_key = envelope.sealed, envelope.wrapped_key
        tool.ring_key, tool.hint = envelope.ring_key, hint(secret)
    else:
        tool.sealed, tool.wrapped_key, tool.ring_key, tool.hint = b"", b"", "", ""
    tool.save(update_fields=["sealed", "wrapped_key", "ring_key", "hint"])


def opened(tool_id: int, envelope: Envelope) -> str:
    """Open it for one call. Raises ToolFailed; the model learns no more than that."""
    try:
        return unseal(envelope, ToolBinding(tool_id), ring.load())
    except (EnvelopeBroken, RingUnreadable):
        raise ToolFailed("The tool's secret does not open; its operator must save it.") from None
