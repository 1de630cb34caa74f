"""The hosted tools that a caller may use, ready to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from providers.engine.call import Caller
from providers.engine.tools import HostedTool
from providers.models import Tool
from providers.tools.snapshot import Means, Offer, hosted, offers


@dataclass(slots=True)
class Toolbox:
    """Belongs to one event loop; it is filled anew when the tables of tools change."""

    means: Means
    _offers: Sequence[Offer] = field(default_factory=list[Offer])

    def publish(self, rows: Sequence[Tool]) -> None:
        self._offers = offers(rows, self.means)

    def allowed_to(self, caller: Caller) -> Mapping[str, HostedTool]:
        """By name; those that the caller's team or the caller may use."""
        return {offer.tool.name: offer.tool for offer in self._offers if offer.is_for(caller)}

    def made_of(self, row: Tool) -> HostedTool:
        """For trying one out, whoever may use it."""
        return hosted(row, self.means)
