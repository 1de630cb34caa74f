"""One request's receipt, for who asked, who looks after the team, and who sees all costs."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from providers.ledger import itemised
from providers.ledger.itemised import Itemised
from providers.models import Reservation
from providers.people.standing import Standing, standing_of
from providers.reports import periods
from providers.reports.viewers import viewer_of

CLASSES = {
    "input": "Input",
    "input_audio": "Input, audio",
    "cache_read": "Input, read from the provider's cache",
    "cache_write": "Input, written to the provider's cache",
    "cache_write_1h": "Input, written to the cache for an hour",
    "output": "Output",
    "output_audio": "Output, audio",
    "web_search": "Web searches",
}
TONES = {"in flight": "info", "settled": "ok", "expired": "warn", "released": ""}


@dataclass(frozen=True)
class ReceiptPage:
    """`zone` is the reporting time zone; `tone` says the state in a word of the style."""

    receipt: Itemised
    zone: str
    tone: str
    classes: dict[str, str]

    @property
    def has_steps(self) -> bool:
        return len(self.receipt.holds) > 1


@require_safe
def receipt(request: HttpRequest, receipt_id: UUID) -> HttpResponse:
    found = itemised.of_request(receipt_id)
    if found is None or not _may_see(standing_of(request), found.first):
        raise Http404
    page = ReceiptPage(found, str(periods.reporting_zone()), TONES[found.state], CLASSES)
    return render(request, "providers/receipt.html", {"page": page})


def _may_see(standing: Standing, reservation: Reservation) -> bool:
    viewer = viewer_of(standing)
    is_own = reservation.user_id == standing.user.pk
    return viewer.sees_all or is_own or reservation.team_id in viewer.team_ids
