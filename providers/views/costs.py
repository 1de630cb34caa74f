"""The cost page: what was spent, by whom and on what, in a period that the address names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers.downloads import CSV, download
from providers.people.permissions import Capability
from providers.people.standing import Standing, standing_of
from providers.reports import compared, export, periods, spending
from providers.reports.charts import StackedBars
from providers.reports.compared import Change, Compared, Spender
from providers.reports.cost_chart import EXAMPLE, CostChart, cost_chart
from providers.reports.dearest import Dear, TooMany, dearest
from providers.reports.labels import noun_of, title_of
from providers.reports.periods import Bucket, Period
from providers.reports.question import Group, Question, Viewer
from providers.reports.spending import GroupSpend, Spending
from providers.reports.viewers import viewer_of
from providers.views.cost_address import Address, Chip, Choice

ROWS = 100
_UNCHANGED = Change(0, 0, is_new=False)


@dataclass(frozen=True)
class Row:
    """`css` is the colour in the chart; `share` is of the spend, None where nothing was spent.

    `url` shows this group alone.
    """

    group: GroupSpend
    css: str
    share: float | None
    change: Change
    url: str


@dataclass(frozen=True)
class Heading:
    """`order` is what `aria-sort` says, empty: not sorted by it; `on_narrow`: also on a phone."""

    label: str
    url: str
    order: str
    is_number: bool
    on_narrow: bool


@dataclass(frozen=True)
class Leader:
    spender: Spender
    url: str


@dataclass(frozen=True)
class CostPage:
    """Sums of the whole period; `rows` are its first groups and `more` counts those left out.

    `fault` says what was wrong with the period asked for; the default is shown then. `leaders` are
    the dearest people and keys, empty where only one's own use is seen. `example` is drawn in grey
    where there is nothing yet.
    """

    whose: str
    period: Period
    before: str
    fault: str
    period_choices: list[Choice]
    group_choices: list[Choice]
    hidden: list[tuple[str, str]]
    chips: list[Chip]
    noun: str
    spending: Spending
    compared: Compared
    headings: list[Heading]
    rows: list[Row]
    more: int
    leaders: list[Leader]
    chart: CostChart
    csv_url: str
    focus_url: str
    json_url: str
    dearest_url: str
    has_statements: bool
    may_price: bool
    may_run: bool
    example: StackedBars = EXAMPLE

    @property
    def per_thousand_nano(self) -> int | None:
        total = self.spending.total
        return total.cost_nano * 1000 // total.requests if total.requests else None


@dataclass(frozen=True)
class DearestPage:
    """`is_too_many`: it was given up, and `dearest` is empty."""

    dearest: list[Dear]
    is_too_many: bool
    time_zone: str


@require_safe
def costs(request: HttpRequest) -> HttpResponse:
    page = _page(standing_of(request), _address(request))
    status = 422 if page.fault else 200
    return render(request, "providers/costs.html", {"page": page}, status=status)


@require_safe
def costs_dearest(request: HttpRequest) -> HttpResponse:
    address = _address(request)
    found, is_too_many = list[Dear](), False
    try:
        found = dearest(address.question)
    except TooMany:
        is_too_many = True
    page = DearestPage(found, is_too_many, address.period.span.time_zone)
    return render(request, "providers/costs_dearest.html", {"page": page})


@require_safe
def costs_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    return _file(request, export.csv_pieces, "csv")


@require_safe
def costs_focus(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    return _file(request, export.focus_pieces, "focus.csv")


@require_safe
def costs_json(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    return _file(request, export.json_pieces, "json", "application/json")


def _file(
    request: HttpRequest,
    pieces: Callable[[Question], Iterator[str]],
    ending: str,
    content_type: str = CSV,
) -> HttpResponse | StreamingHttpResponse:
    address = _address(request)
    if address.fault:
        return _refused(address)
    return download(pieces(address.question), _file_name(address, ending), content_type)


def _address(request: HttpRequest) -> Address:
    viewer = viewer_of(standing_of(request))
    return Address.read(request.GET, viewer, periods.reporting_zone(), timezone.now())


def _refused(address: Address) -> HttpResponse:
    return HttpResponse(address.fault, status=422, content_type="text/plain; charset=utf-8")


def _file_name(address: Address, ending: str) -> str:
    span = address.period.span
    return f"costs-{span.first}-to-{span.last}.{ending}"


def _page(standing: Standing, address: Address) -> CostPage:
    period, asked, group = address.period, address.question, address.group
    found = spending.spend_by_day(asked, group)
    is_fine = period.bucket is Bucket.HOUR
    chart = cost_chart(period, found, spending.costs_by_hour(asked, group) if is_fine else None)
    beside = compared.compare(asked, period.before, group)
    rows = _rows(address, found, chart, beside)
    query = address.url()
    return CostPage(
        whose=_whose(address.viewer, standing),
        period=period,
        before=periods.label_of(period.before),
        fault=address.fault,
        period_choices=address.choices(
            "period", periods.CHOICES, "" if address.fault else period.choice
        ),
        group_choices=address.choices("by", {one: title_of(one) for one in address.groups}, group),
        hidden=address.hidden(),
        chips=address.chips(),
        noun=noun_of(group),
        spending=found,
        compared=beside,
        headings=_headings(address, title_of(group)),
        rows=rows[:ROWS],
        more=max(0, len(rows) - ROWS),
        leaders=_leaders(address, beside),
        chart=chart,
        csv_url=reverse("providers:costs_csv") + query,
        focus_url=reverse("providers:costs_focus") + query,
        json_url=reverse("providers:costs_json") + query,
        dearest_url=reverse("providers:costs_dearest") + query,
        has_statements=standing.may(Capability.SEE_TEAM_COSTS),
        may_price=standing.may(Capability.MANAGE_ROUTES),
        may_run=standing.may(Capability.RUN_PROMPTS),
    )


def _whose(viewer: Viewer, standing: Standing) -> str:
    if viewer.sees_all:
        return "All teams"
    if viewer.team_ids and standing.team is not None:
        return f"Team {standing.team.name}"
    return "Your own use"


def _rows(address: Address, found: Spending, chart: CostChart, beside: Compared) -> list[Row]:
    total = found.total.cost_nano
    rows = [
        Row(
            group,
            chart.css.get(group.key, "series-other"),
            group.figures.cost_nano / total if total else None,
            beside.groups.get(group.key, _UNCHANGED),
            address.only(found.group, group.key),
        )
        for group in found.groups
    ]
    name, is_falling = address.sort
    return sorted(rows, key=_ORDERS[name], reverse=is_falling)


# Unknown is less than anything known.
_ORDERS: dict[str, Callable[[Row], int | str]] = {
    "cost": lambda row: row.group.figures.cost_nano,
    "change": lambda row: row.change.now_nano - row.change.before_nano,
    "requests": lambda row: row.group.figures.requests,
    "each": lambda row: row.group.figures.nano_a_request or -1,
    "input": lambda row: row.group.figures.input_tokens,
    "cached": lambda row: row.group.figures.cache_read_tokens,
    "output": lambda row: row.group.figures.output_tokens,
    "wasted": lambda row: row.group.figures.wasted_nano,
    "name": lambda row: row.group.label.lower(),
}
_HEADINGS = {
    "cost": ("Cost", True),
    "change": ("Change", True),
    "requests": ("Requests", False),
    "each": ("A request", False),
    "input": ("Tokens in", False),
    "cached": ("Cached", False),
    "output": ("Tokens out", False),
    "wasted": ("Wasted", False),
}


def _headings(address: Address, title: str) -> list[Heading]:
    current, is_falling = address.sort
    words = {"name": (title, True), **_HEADINGS}
    return [
        Heading(
            label,
            address.url(sort=f"-{name}" if _falls_next(name, current, is_falling) else name),
            ("descending" if is_falling else "ascending") if name == current else "",
            name != "name",
            on_narrow,
        )
        for name, (label, on_narrow) in words.items()
    ]


def _falls_next(name: str, current: str, is_falling: bool) -> bool:  # noqa: FBT001 - one of three facts
    """Begin with the largest figure or the first name, and turn round what is sorted already."""
    return not is_falling if name == current else name != "name"


def _leaders(address: Address, beside: Compared) -> list[Leader]:
    shown = [one for one in beside.spenders if one.group is Group.KEY or address.sees_people]
    return [Leader(one, address.only(one.group, one.key)) for one in shown]
