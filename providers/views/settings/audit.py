"""The audit log: by who, what, when and on what; page by page, as CSV, and whether it is whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers import audit
from providers.audit import log
from providers.audit.log import Wanted
from providers.downloads import download
from providers.models import AuditEntry
from providers.reports.periods import reporting_zone
from providers.views.forms import PageForm
from providers.views.settings.sections import show

ROWS = 50
_NOTHING = "none"


class FilterForm(PageForm):
    who = forms.CharField(label="Who", required=False, max_length=254)
    what = forms.ChoiceField(label="What", required=False)
    target = forms.CharField(label="On what", required=False, max_length=300)
    since = forms.DateField(
        label="From", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    to = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}))
    before = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(self, data: QueryDict) -> None:
        super().__init__(data)
        deeds = log.deeds()
        nouns = sorted({deed.partition(".")[0] for deed in deeds})
        self.fields["what"].choices = [  # type: ignore[attr-defined]
            ("", "Everything"),
            *((f"{noun}.", f"{noun}: all") for noun in nouns),
            *((deed, deed.replace(".", ": ", 1)) for deed in deeds),
        ]

    @property
    def wanted(self) -> Wanted:
        """What the valid fields ask for; days are those of the organisation's time zone."""
        found = self.cleaned_data
        return Wanted(
            who=found.get("who", ""),
            what=found.get("what", ""),
            target=found.get("target", ""),
            since=_midnight(found.get("since"), 0),
            until=_midnight(found.get("to"), 1),
        )


@dataclass(frozen=True)
class Fact:
    """What differs, as text; `before` or `after` None: it was, or is, not there."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Row:
    entry: AuditEntry
    facts: list[Fact]


@dataclass(frozen=True)
class AuditPage:
    """`older` and `newest` are addresses; empty: this is the oldest, or the newest, page."""

    form: FilterForm
    rows: list[Row]
    zone: str
    is_filtered: bool
    older: str
    newest: str
    csv_url: str


@require_safe
def audit_page(request: HttpRequest) -> HttpResponse:
    form = FilterForm(request.GET)
    form.is_valid()
    below = form.cleaned_data.get("before")
    found = log.sheet(form.wanted, below=below, rows=ROWS)
    page = AuditPage(
        form=form,
        rows=[Row(entry, _facts(entry)) for entry in found.entries],
        zone=str(reporting_zone()),
        is_filtered=form.wanted != Wanted(),
        older=_address(request.GET, before=found.older) if found.older else "",
        newest=_address(request.GET) if below else "",
        csv_url=f"{reverse('providers:audit_csv')}{_address(request.GET)}",
    )
    return show(request, "audit", page, form.status)


@require_safe
def audit_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    form = FilterForm(request.GET)
    if not form.is_valid():
        words = form.errors.as_text()
        return HttpResponse(words, status=422, content_type="text/plain; charset=utf-8")
    name = f"audit-{timezone.now():%Y-%m-%d}.csv"
    return download(log.csv_pieces(form.wanted), name)


@require_safe
def audit_chain(request: HttpRequest) -> HttpResponse:
    """Walk the whole chain, which takes a while: the page asks for it once it is there."""
    return render(request, "providers/settings/audit_chain.html", {"verdict": audit.verify()})


def _midnight(day: date | None, later: int) -> datetime | None:
    if day is None:
        return None
    return datetime.combine(day + timedelta(days=later), time(), tzinfo=reporting_zone())


def _facts(entry: AuditEntry) -> list[Fact]:
    before, after = entry.before or {}, entry.after or {}
    facts = [
        Fact(name.replace("_", " "), _told(before, name), _told(after, name))
        for name in {**before, **after}
    ]
    # Of what was made or removed, what was never set says nothing.
    return [fact for fact in facts if {fact.before, fact.after} != {None, _NOTHING}]


def _told(facts: dict[str, object], name: str) -> str | None:
    if name not in facts:
        return None
    value = facts[name]
    if value is None or value == "" or value == []:
        return _NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(_words, value)) if isinstance(value, list) else _words(value)


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " · ".join(f"{name} “{inner}”" for name, inner in value.items())
    return str(value)


def _address(query: QueryDict, **changes: object) -> str:
    filters = ("who", "what", "target", "since", "to")
    kept = {name: query[name] for name in filters if query.get(name)}
    return f"?{urlencode({**kept, **changes})}"
