"""The cost page: what was spent, by whom and on what, in a period that the address names."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from providers.downloads import download
from providers.people.permissions import Capability
from providers.people.standing import Standing, standing_of
from providers.reports import export, periods, spending
from providers.reports.charts import StackedBars
from providers.reports.cost_chart import EXAMPLE, CostChart, cost_chart
from providers.reports.dearest import Dear, dearest
from providers.reports.periods import Period, PeriodError
from providers.reports.spending import Group, GroupSpend, Spending, Viewer
from providers.reports.viewers import viewer_of

ROWS = 100


@dataclass(frozen=True)
class Choice:
    key: str
    label: str
    url: str
    is_current: bool


@dataclass(frozen=True)
class Row:
    """`css` is the colour in the chart; `share` is of the spend, None where nothing was spent."""

    group: GroupSpend
    css: str
    share: float | None


@dataclass(frozen=True)
class CostPage:
    """Sums of the whole period; `rows` are its dearest groups and `more` counts those left out.

    `fault` says what was wrong with the period asked for; the default is shown then. `example` is
    drawn in grey where there is nothing yet.
    """

    whose: str
    period: Period
    fault: str
    period_choices: list[Choice]
    group_choices: list[Choice]
    spending: Spending
    rows: list[Row]
    more: int
    chart: CostChart
    csv_url: str
    dearest: list[Dear]
    may_price: bool
    may_run: bool
    example: StackedBars = EXAMPLE

    @property
    def tokens(self) -> int:
        return self.spending.total.input_tokens + self.spending.total.output_tokens

    @property
    def per_thousand_nano(self) -> int | None:
        total = self.spending.total
        return total.cost_nano * 1000 // total.requests if total.requests else None


@require_safe
def costs(request: HttpRequest) -> HttpResponse:
    page = _page(standing_of(request), request.GET)
    status = 422 if page.fault else 200
    return render(request, "providers/costs.html", {"page": page}, status=status)


@require_safe
def costs_csv(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    try:
        period = periods.chosen(request.GET, zone=periods.reporting_zone(), now=timezone.now())
    except PeriodError as fault:
        return HttpResponse(str(fault), status=422, content_type="text/plain; charset=utf-8")
    name = f"costs-{period.span.first}-to-{period.span.last}.csv"
    return download(export.csv_pieces(period.span, viewer_of(standing_of(request))), name)


def _page(standing: Standing, query: QueryDict) -> CostPage:
    now, zone = timezone.now(), periods.reporting_zone()
    fault = ""
    try:
        period = periods.chosen(query, zone=zone, now=now)
    except PeriodError as error:
        period, fault = periods.default(zone=zone, now=now), str(error)
    viewer = viewer_of(standing)
    groups = _groups(viewer)
    group = next((one for one in groups if one == query.get("by")), groups[0])
    found = spending.spend_by_day(period.span, group, viewer)
    by_hour = spending.costs_by_hour(period.span, group, viewer) if period.is_one_day else None
    chart = cost_chart(period, found, by_hour)
    return CostPage(
        whose=_whose(viewer, standing),
        period=period,
        fault=fault,
        period_choices=_choices(query, "period", periods.CHOICES, "" if fault else period.choice),
        group_choices=_choices(query, "by", {one: one.capitalize() for one in groups}, group),
        spending=found,
        rows=_rows(found, chart),
        more=max(0, len(found.groups) - ROWS),
        chart=chart,
        csv_url=f"{reverse('providers:costs_csv')}?{_address(query, {})}",
        dearest=dearest(period.span, viewer),
        may_price=standing.may(Capability.MANAGE_ROUTES),
        may_run=standing.may(Capability.RUN_PROMPTS),
    )


def _groups(viewer: Viewer) -> list[Group]:
    """Offer only what can differ: all of one's own entries have the same user."""
    if viewer.sees_all:
        return list(Group)
    if viewer.team_ids:
        return [Group.USER, Group.MODEL, Group.PROVIDER, Group.ROUTE]
    return [Group.MODEL, Group.PROVIDER, Group.ROUTE]


def _whose(viewer: Viewer, standing: Standing) -> str:
    if viewer.sees_all:
        return "All teams"
    if viewer.team_ids and standing.team is not None:
        return f"Team {standing.team.name}"
    return "Your own use"


def _rows(found: Spending, chart: CostChart) -> list[Row]:
    total = found.total.cost_nano
    return [
        Row(
            group,
            chart.css.get(group.key, "series-other"),
            group.figures.cost_nano / total if total else None,
        )
        for group in found.groups[:ROWS]
    ]


def _choices(query: QueryDict, name: str, labels: dict[str, str], current: str) -> list[Choice]:
    return [
        Choice(key, label, f"?{_address(query, {name: key})}", key == current)
        for key, label in labels.items()
    ]


def _address(query: QueryDict, changes: dict[str, str]) -> str:
    kept = QueryDict(mutable=True)
    for name in ("period", "from", "to", "by"):
        value = changes.get(name, query.get(name))
        if value:
            kept[name] = value
    return kept.urlencode()
