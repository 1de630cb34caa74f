"""Tools that run here: made, given to teams and people, tried out, switched off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from providers import gateway
from providers.engine.tools import Ran
from providers.models import Tool, ToolKind, User
from providers.people.permissions import Capability
from providers.people.standing import Standing, standing_of
from providers.tools import kept, rows
from providers.tools.kept import ToolRefused
from providers.views.forms import go_on, say_refused
from providers.views.settings.sections import show
from providers.views.settings.tool_forms import FORMS, ToolForm

TOOLS = "providers:tools"
_LONGEST_ARGUMENTS = 16_000
_WORDS = {
    ToolKind.BUILT_IN: "Built in.",
    ToolKind.HTTPS: "An address of yours is called with the model's arguments.",
    ToolKind.MOCK: "It plays what you write down, so that prompts can be tried.",
    ToolKind.ROWS: "A model finds rows of a table by their words.",
}


@dataclass(frozen=True)
class Row:
    """`audience` in words; `detail` is where it leads or what it holds."""

    id: int
    name: str
    kind: str
    description: str
    detail: str
    audience: str
    is_enabled: bool
    may_change: bool


@dataclass(frozen=True)
class ToolsPage:
    rows: list[Row]
    may_add_all: bool
    team: str


@dataclass(frozen=True)
class ToolPage:
    """`tool` None: a new one. `sample` are arguments to begin a test with."""

    form: ToolForm
    words: str
    tool: Tool | None = None
    sample: str = "{}"


@dataclass(frozen=True)
class TestPage:
    """`ran` None: nothing was run, and `words` say why."""

    ran: Ran | None
    words: str = ""

    @property
    def ms(self) -> int:
        return round(self.ran.duration_s * 1000) if self.ran else 0


@require_safe
def tools_page(request: HttpRequest) -> HttpResponse:
    kept.ensure_built_in()
    standing = standing_of(request)
    changeable = set(kept.changeable_by(standing).values_list("pk", flat=True))
    found = kept.visible_to(standing).prefetch_related("teams", "users").order_by("kind", "name")
    listed = [_row(tool, may_change=tool.pk in changeable) for tool in found]
    team = standing.team.name if standing.team else ""
    return show(request, "tools", ToolsPage(listed, standing.may(Capability.MANAGE_TOOLS), team))


@never_cache
@sensitive_post_parameters("secret")
def new_https(request: HttpRequest) -> HttpResponse:
    return _new(request, ToolKind.HTTPS)


def new_mock(request: HttpRequest) -> HttpResponse:
    return _new(request, ToolKind.MOCK)


def new_rows(request: HttpRequest) -> HttpResponse:
    return _new(request, ToolKind.ROWS)


@never_cache
@sensitive_post_parameters("secret")
def edit(request: HttpRequest, tool_id: int) -> HttpResponse:
    standing = standing_of(request)
    tool = get_object_or_404(kept.changeable_by(standing), pk=tool_id)
    kind = ToolKind(tool.kind)
    form = FORMS[kind](standing, tool, request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            kept.change(standing.user, tool, form.draft())
            _keep_rows(form, tool)
        except (ToolRefused, rows.RowsRefused) as fault:
            form.refuse_of(fault)
        else:
            return go_on(request, TOOLS, f"{tool.name} is saved.")
    page = ToolPage(form, _WORDS[kind], tool, form.sample())
    return show(request, "tool", page, form.status)


@require_POST
async def test(request: HttpRequest, tool_id: int) -> HttpResponse:
    """Run what is saved, once; the answer is shown and not kept."""
    tool = await sync_to_async(_changeable)(standing_of(request), tool_id)
    arguments = request.POST.get("arguments", "")
    if len(arguments) > _LONGEST_ARGUMENTS:
        page = TestPage(None, f"Give at most {_LONGEST_ARGUMENTS:,} characters.")
    else:
        page = TestPage(await gateway.try_tool(tool, arguments))
    return await sync_to_async(render)(request, "providers/settings/tool_test.html", {"page": page})


@require_POST
def switch(request: HttpRequest, tool_id: int) -> HttpResponse:
    tool = _changeable(standing_of(request), tool_id)
    kept.switch(standing_of(request).user, tool)
    state = "can be used again" if tool.is_enabled else "is switched off"
    return go_on(request, TOOLS, f"{tool.name} {state}.")


@require_POST
def remove(request: HttpRequest, tool_id: int) -> HttpResponse:
    tool = _changeable(standing_of(request), tool_id)
    try:
        kept.remove(standing_of(request).user, tool)
    except ToolRefused as fault:
        return say_refused(request, TOOLS, fault.message)
    return go_on(request, TOOLS, f"{tool.name} is removed.")


def _new(request: HttpRequest, kind: ToolKind) -> HttpResponse:
    standing = standing_of(request)
    form = FORMS[kind](standing, None, request.POST or None, request.FILES or None)
    if form.is_valid():
        try:
            tool = _made(standing, kind, form)
        except (ToolRefused, rows.RowsRefused) as fault:
            form.refuse_of(fault)
        else:
            return go_on(request, "providers:tool", f"{tool.name} is saved. Try it.", tool.pk)
    return show(request, "tool", ToolPage(form, _WORDS[kind]), form.status)


def _made(standing: Standing, kind: ToolKind, form: ToolForm) -> Tool:
    # What belongs to a team is that of rows; the other kinds are the organisation's.
    team = standing.team if kind is ToolKind.ROWS else None
    if kind is ToolKind.ROWS and team is None:
        raise Http404("There is no team yet.")
    tool = kept.make(standing.user, form.cleaned_data["name"], kind, form.draft(), team)
    _keep_rows(form, tool)
    return tool


def _keep_rows(form: ToolForm, tool: Tool) -> None:
    table = form.table()
    if table is not None:
        rows.replace(tool, table)


def _changeable(standing: Standing, tool_id: int) -> Tool:
    return get_object_or_404(kept.changeable_by(standing), pk=tool_id)


def _row(tool: Tool, *, may_change: bool) -> Row:
    return Row(
        id=tool.pk,
        name=tool.name,
        kind=ToolKind(tool.kind).label,
        description=tool.description,
        detail=_detail(tool.facts),
        audience=_audience(tool),
        is_enabled=tool.is_enabled,
        may_change=may_change,
    )


def _detail(facts: dict[str, Any]) -> str:
    if "url" in facts:
        return str(facts["url"])
    return f"{facts['count']:,} rows" if "count" in facts else ""


def _audience(tool: Tool) -> str:
    if tool.for_everybody:
        return "Everybody"
    people: list[User] = list(tool.users.all())
    names = [team.name for team in tool.teams.all()] + [person.email for person in people]
    return ", ".join(names) or "Nobody yet"
