"""Batches of prompts: their list, a new one, and one with its progress and its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from conversations.batches import book, listed, results, upload
from conversations.batches import progress as counted
from conversations.batches.listed import Listed
from conversations.batches.progress import Progress
from conversations.batches.prompts import PromptsRefused
from conversations.forms import BatchForm, Most
from conversations.models import BatchItem, BatchJob, BatchState
from conversations.tasks import ring_for_batches
from conversations.views.pages import uuid_of
from providers import gateway
from providers.downloads import CSV, JSONL, download
from providers.engine.call import Caller, Source
from providers.ledger import balances
from providers.people.standing import Standing, standing_of

MOST_FAULTS_SHOWN = 20
_SAMPLE = 5


@dataclass(frozen=True)
class BatchesPage:
    listed: Listed
    has_routes: bool


@dataclass(frozen=True)
class NewBatchPage:
    """`faults` are those of the prompts, by line, and `more` counts those that are not shown."""

    form: BatchForm
    most: Most
    faults: Sequence[str]
    more: int


@dataclass(frozen=True)
class BatchPage:
    """`sample` is how it begins. `left_nano` is what the tightest hard budget leaves; None: there
    is none.
    """

    batch: BatchJob
    progress: Progress
    sample: list[BatchItem]
    left_nano: int | None

    @property
    def is_live(self) -> bool:
        """Tell whether it may look otherwise in a moment."""
        return self.batch.state == BatchState.RUNNING or self.progress.asked > 0

    @property
    def left_in_words(self) -> str:
        """Roughly: `a minute`, `12 minutes`, `3 hours`."""
        minutes = round(self.progress.left.total_seconds() / 60) if self.progress.left else 0
        if minutes <= 1:
            return "a minute"
        return f"{minutes} minutes" if minutes < 120 else f"{round(minutes / 60)} hours"

    @property
    def may_not_fit(self) -> bool:
        worst = self.batch.worst_nano
        return worst is not None and self.left_nano is not None and worst > self.left_nano


@require_GET
async def batches_page(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    routes = await _routes(standing)
    return await sync_to_async(_list)(request, standing, has_routes=bool(routes))


async def new(request: HttpRequest) -> HttpResponse:
    """Show the form; sent, write the batch down and lead to its page, where it is started."""
    standing = standing_of(request)
    routes = await _routes(standing)
    if standing.team is None:
        raise Http404
    if request.method != "POST":
        form = BatchForm(routes, _most(), initial={"route": request.GET.get("model")})
        return await sync_to_async(_form)(request, form)
    form = BatchForm(routes, _most(), request.POST, request.FILES)
    if not await sync_to_async(form.is_valid)():
        return await sync_to_async(_form)(request, form, form.line_faults)
    try:
        batch = await upload.make(standing.user, standing.team, form.wanted())
    except PromptsRefused as refused:
        return await sync_to_async(_form)(request, form, refused.faults)
    return redirect("conversations:batch", batch.pk)


@require_GET
def batch(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    page = _page(standing_of(request), batch_id)
    return render(request, "conversations/batch.html", {"page": page})


@require_GET
def progress(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    page = _page(standing_of(request), batch_id)
    return render(request, "conversations/_batch.html", {"page": page})


@require_POST
def start(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Begin it, or let it go on after a pause."""
    if book.start(_owned(standing_of(request), batch_id), timezone.now()):
        ring_for_batches()
    return redirect("conversations:batch", batch_id)


@require_POST
def cancel(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    book.cancel(_owned(standing_of(request), batch_id), timezone.now())
    return redirect("conversations:batch", batch_id)


@require_POST
def retry(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    """Ask again what failed or was cancelled."""
    if book.retry(_owned(standing_of(request), batch_id), timezone.now()):
        ring_for_batches()
    return redirect("conversations:batch", batch_id)


@require_POST
def delete(request: HttpRequest, batch_id: UUID) -> HttpResponse:
    found = _owned(standing_of(request), batch_id)
    if not book.delete(found):
        messages.error(request, "It is under way. Cancel it first.")
        return redirect("conversations:batch", batch_id)
    messages.success(request, f"{found} was deleted. What it has cost stays in the books.")
    return redirect("conversations:batches")


@require_GET
def as_csv(request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
    """Write what there is by now."""
    found = _owned(standing_of(request), batch_id)
    return download(results.csv_pieces(found), _file(found, "csv"), CSV)


@require_GET
def as_jsonl(request: HttpRequest, batch_id: UUID) -> HttpResponseBase:
    """Write what there is by now, with null for what is unknown."""
    found = _owned(standing_of(request), batch_id)
    return download(results.jsonl_pieces(found), _file(found, "jsonl"), JSONL)


def _file(batch: BatchJob, ending: str) -> str:
    name = slugify(batch.name.rpartition(".")[0] or batch.name) or "batch"
    return f"{name}-results.{ending}"


def _list(request: HttpRequest, standing: Standing, *, has_routes: bool) -> HttpResponse:
    if standing.team is None:
        return render(request, "no_team.html", status=403)
    before = uuid_of(request.GET.get("before"))
    found = listed.page(standing.user, standing.team, before=before)
    return render(request, "conversations/batches.html", {"page": BatchesPage(found, has_routes)})


def _form(request: HttpRequest, form: BatchForm, faults: Sequence[str] = ()) -> HttpResponse:
    shown = faults[:MOST_FAULTS_SHOWN]
    page = NewBatchPage(form, _most(), shown, len(faults) - len(shown))
    status = 422 if faults or form.errors else 200
    return render(request, "conversations/batch_new.html", {"page": page}, status=status)


def _page(standing: Standing, batch_id: UUID) -> BatchPage:
    found = _owned(standing, batch_id)
    is_draft = found.state == BatchState.DRAFT
    return BatchPage(
        batch=found,
        progress=counted.of(found, timezone.now()),
        sample=list(found.items.order_by("number")[:_SAMPLE]) if is_draft else [],
        left_nano=_left_nano(found) if is_draft else None,
    )


def _left_nano(batch: BatchJob) -> int | None:
    found = balances.for_caller(batch.user_id, batch.team_id)
    return min((each.left_nano for each in found if each.is_hard), default=None)


def _owned(standing: Standing, batch_id: UUID) -> BatchJob:
    """Find it among the asker's own. Raises Http404, also where it is somebody else's."""
    found = book.owned_by(standing.user).filter(pk=batch_id).first()
    if found is None:
        raise Http404
    return found


async def _routes(standing: Standing) -> list[str]:
    team_id = standing.team.pk if standing.team else None
    caller = Caller(Source.BATCH, standing.user.pk, team_id)
    return [route.name for route in await gateway.route_names(caller)]


def _most() -> Most:
    limits = settings.GAIWEB.batches
    return Most(limits.most_prompts, limits.most_bytes)
