"""Statements of months: the list, one of them to read or print, and as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from providers.downloads import download
from providers.models import Statement, StatementLine
from providers.models.statements import LineKind
from providers.people.permissions import Capability
from providers.people.standing import standing_of
from providers.reports.periods import reporting_zone
from providers.reports.statements import as_csv as files
from providers.reports.statements import making
from providers.reports.statements.making import CannotState
from providers.reports.statements.visible import statements_visible_to

MONTHS = 12
MOST = 500


@dataclass(frozen=True)
class StatementsPage:
    """Newest first, at most 500. `months` are those that may be stated now, the last first."""

    statements: Sequence[Statement]
    months: Sequence[date]
    may_make: bool
    sees_all: bool


@dataclass(frozen=True)
class StatementPage:
    """`late` are what earlier statements could not know: use booked after them, and corrections."""

    statement: Statement
    usage: Sequence[StatementLine]
    late: Sequence[StatementLine]
    requests: int
    input_tokens: int
    output_tokens: int


@require_safe
def statements(request: HttpRequest) -> HttpResponse:
    standing = standing_of(request)
    page = StatementsPage(
        list(statements_visible_to(standing)[:MOST]),
        _months(),
        standing.may(Capability.MAKE_STATEMENTS),
        standing.may(Capability.SEE_ALL_COSTS),
    )
    return render(request, "providers/statements.html", {"page": page})


@require_POST
def make(request: HttpRequest) -> HttpResponse:
    try:
        month = date.fromisoformat(f"{request.POST.get('month', '')}-01")
        made = making.make(month, by=standing_of(request).user)
    except CannotState as fault:
        messages.error(request, fault.message)
    except ValueError:
        messages.error(request, "Choose a month, such as 2026-10.")
    else:
        new = sum(one.is_new for one in made)
        messages.success(request, _words(month, new, len(made)))
    return redirect("providers:statements")


@require_safe
def statement(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(statements_visible_to(standing_of(request)), number=number)
    lines = list(found.lines.order_by("id"))
    usage = [line for line in lines if line.kind == LineKind.USAGE and line.month == found.month]
    page = StatementPage(
        found,
        usage,
        [line for line in lines if line not in usage],
        sum(line.requests for line in lines),
        sum(line.input_tokens for line in lines),
        sum(line.output_tokens for line in lines),
    )
    return render(request, "providers/statement.html", {"page": page})


@require_safe
def as_csv(request: HttpRequest, number: int) -> StreamingHttpResponse:
    found = get_object_or_404(statements_visible_to(standing_of(request)), number=number)
    return download(files.csv_pieces(found), f"statement-{number}.csv")


def _months() -> list[date]:
    months = []
    last = timezone.now().astimezone(reporting_zone()).date()
    for _ in range(MONTHS):
        last = last.replace(day=1) - timedelta(days=1)
        months.append(last.replace(day=1))
    return months


def _words(month: date, new: int, every: int) -> str:
    if not every:
        return f"No team asked for anything in {month:%B %Y}."
    if not new:
        return f"The statements of {month:%B %Y} stand already."
    return f"{new} statement{'s' if new > 1 else ''} of {month:%B %Y} made."
