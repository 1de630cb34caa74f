"""Routes: public model names, their targets in order, each with its price and longest answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST, require_safe

from providers import catalog
from providers.catalog import environment, snapshot
from providers.catalog import routes as verbs
from providers.catalog.targets import Target, TargetFault, own_price, price_known, save_route
from providers.catalog.traits import in_words
from providers.engine.usage import Price
from providers.models import Deployment, Provider, Route, RouteTarget, User
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show
from providers.views.settings.traits import TraitsForm, stored

ROUTES = "providers:routes"
MOST_TARGETS = 12


class RouteForm(PageForm):
    name = forms.CharField(
        label="Name",
        max_length=120,
        help_text="What callers put into “model”. It stays when you change what is behind it.",
    )


def _price(label: str) -> forms.DecimalField:
    widget = forms.NumberInput(attrs={"inputmode": "decimal", "step": "any", "min": "0"})
    return forms.DecimalField(label=label, required=False, min_value=Decimal(0), widget=widget)


class TargetForm(TraitsForm):
    provider = forms.ModelChoiceField(
        label="Provider",
        queryset=Provider.objects.order_by("name"),
        to_field_name="name",
        empty_label=None,
    )
    model = forms.CharField(label="Model", max_length=200)
    input_price = _price("Input, $ per M tokens")
    output_price = _price("Output, $ per M tokens")
    max_output = forms.IntegerField(label="Longest answer, tokens", required=False, min_value=1)

    @property
    def target(self) -> Target:
        values = self.cleaned_data
        return Target(
            provider=values["provider"].name,
            model=values["model"],
            input_usd=values["input_price"],
            output_usd=values["output_price"],
            max_output=values["max_output"],
            weight=values["weight"],
            numbers=self.numbers,
            lacks=self.lacks,
        )


@dataclass(frozen=True)
class ShownPrice:
    """Dollars per million tokens, as they are read; `source` in words: who says so."""

    input_usd: str
    output_usd: str
    source: str


@dataclass(frozen=True)
class TargetRow:
    """`price` None: nobody knows it, and hard budgets refuse it. `traits` in words: what was set.

    `share` in percent of the calls that ask it first; None: the route has no weights.
    """

    deployment: Deployment
    price: ShownPrice | None
    traits: list[str]
    share: int | None


@dataclass(frozen=True)
class RouteRow:
    route: Route
    targets: list[TargetRow]
    lacks_price: bool


@dataclass(frozen=True)
class RoutesPage:
    rows: list[RouteRow]
    has_providers: bool


@dataclass(frozen=True)
class EditorRow:
    form: TargetForm
    price: ShownPrice | None
    is_known: bool


@dataclass(frozen=True)
class RoutePage:
    """`route` None: a new one."""

    form: RouteForm
    rows: list[EditorRow]
    route: Route | None = None


@require_safe
def routes_page(request: HttpRequest) -> HttpResponse:
    routes = Route.objects.order_by("name").prefetch_related("targets__deployment__provider")
    rows = [_route_row(route) for route in routes]
    return show(request, "routes", RoutesPage(rows, Provider.objects.exists()))


def new(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        return _edited(request, None)
    start = {name: request.GET.get(name, "") for name in ("provider", "model")}
    page = RoutePage(RouteForm(initial={"name": start["model"]}), _editor([start]))
    return show(request, "route", page)


def edit(request: HttpRequest, route_id: int) -> HttpResponse:
    route = get_object_or_404(Route, pk=route_id)
    if request.method == "POST":
        return _edited(request, route)
    targets = route.targets.select_related("deployment__provider").order_by("position")
    rows = [_stored(target) for target in targets]
    return show(request, "route", RoutePage(RouteForm({"name": route.name}), _editor(rows), route))


@require_POST
def switch(request: HttpRequest, route_id: int) -> HttpResponse:
    route = get_object_or_404(Route, pk=route_id)
    verbs.set_enabled(route, is_enabled=not route.is_enabled, by=standing_of(request).user)
    state = "can be called again" if route.is_enabled else "cannot be called any more"
    return go_on(request, ROUTES, f"{route.name} {state}.")


@require_POST
def remove(request: HttpRequest, route_id: int) -> HttpResponse:
    route = get_object_or_404(Route, pk=route_id)
    verbs.remove_route(route, by=standing_of(request).user)
    return go_on(request, ROUTES, f"{route.name} is removed. Callers that name it get a 404.")


def _edited(request: HttpRequest, route: Route | None) -> HttpResponse:
    """Save, or move, add and drop rows: whichever button was pressed."""
    name = RouteForm({"name": route.name} if route else request.POST)
    typed = _typed(request.POST)
    moved = _moved(typed, request.POST.get("do", "save"))
    if moved is not None:
        name = RouteForm(initial={"name": request.POST.get("name", route.name if route else "")})
        return show(request, "route", RoutePage(name, _editor(moved), route))
    bound = [TargetForm(row, prefix=f"t{number}") for number, row in enumerate(_bound(typed))]
    # Every row is looked at, so that all faults show at once.
    valid = [form.is_valid() for form in (name, *bound)]
    if all(valid):
        saved = _save(name, bound, standing_of(request).user)
        if saved is not None:
            return go_on(request, ROUTES, f"{saved.name} is saved and in force.")
    for form in bound:
        form.focus_first_fault()
    rows = [EditorRow(form, None, is_known=False) for form in bound]
    return show(request, "route", RoutePage(name, rows, route), 422)


def _save(name: RouteForm, bound: list[TargetForm], by: User) -> Route | None:
    """None: it was refused, and the forms say why."""
    try:
        return save_route(
            name=name.cleaned_data["name"],
            targets=[form.target for form in bound],
            by=by,
        )
    except TargetFault as fault:
        bound[fault.position].refuse(fault.field, fault.message)
    except catalog.CatalogError as fault:
        name.refuse(fault.field, fault.message)
    return None


def _typed(data: Mapping[str, Any]) -> list[dict[str, str]]:
    """Read the rows as they were typed, in their order."""
    rows = data.get("rows", "1")
    count = min(int(rows), MOST_TARGETS) if rows.isdecimal() else 1
    fields = TargetForm().fields
    return [
        {field: data.get(f"t{number}-{field}", "") for field in fields} for number in range(count)
    ]


def _bound(typed: list[dict[str, str]]) -> list[dict[str, str]]:
    return [
        {f"t{number}-{field}": value for field, value in row.items()}
        for number, row in enumerate(typed)
    ]


def _moved(rows: list[dict[str, str]], do: str) -> list[dict[str, str]] | None:
    """Answer the rows after `add`, `up-2`, `down-0` or `drop-1`; None: it is none of these."""
    verb, _, at = do.partition("-")
    index = int(at) if at.isdecimal() and int(at) < len(rows) else 0
    if verb == "add":
        return [*rows, {}][:MOST_TARGETS]
    if verb == "drop":
        return rows[:index] + rows[index + 1 :] or [{}]
    if verb in {"up", "down"}:
        other = max(0, index - 1) if verb == "up" else min(len(rows) - 1, index + 1)
        rows[index], rows[other] = rows[other], rows[index]
        return rows
    return None


def _editor(rows: list[dict[str, Any]]) -> list[EditorRow]:
    providers = {provider.name: provider for provider in Provider.objects.all()}
    return [
        _editor_row(TargetForm(prefix=f"t{number}", initial=row), providers)
        for number, row in enumerate(rows)
    ]


def _editor_row(form: TargetForm, providers: Mapping[str, Provider]) -> EditorRow:
    provider = providers.get(form.initial.get("provider", ""))
    model = form.initial.get("model", "")
    if provider is None or not model:
        return EditorRow(form, None, is_known=False)
    price = _shown(price_known(provider, model))
    form.show_defaults(
        snapshot.defaults(Deployment(provider=provider, model=model), environment.limits_of)
    )
    if price is not None:
        # What is left empty is what stands there in grey.
        form.fields["input_price"].widget.attrs["placeholder"] = price.input_usd.lstrip("$")
        form.fields["output_price"].widget.attrs["placeholder"] = price.output_usd.lstrip("$")
    return EditorRow(form, price, is_known=True)


def _stored(target: RouteTarget) -> dict[str, Any]:
    deployment = target.deployment
    own = own_price(deployment.provider, deployment.model)
    return {
        "provider": deployment.provider.name,
        "model": deployment.model,
        "input_price": own and f"{own.input_usd.normalize():f}",
        "output_price": own and f"{own.output_usd.normalize():f}",
        "max_output": deployment.max_output_tokens,
        **stored(target),
    }


def _route_row(route: Route) -> RouteRow:
    ordered = sorted(route.targets.all(), key=lambda target: target.position)
    weights = sum(target.weight or 0 for target in ordered)
    targets = [_target_row(target, weights) for target in ordered]
    return RouteRow(route, targets, any(target.price is None for target in targets))


def _target_row(target: RouteTarget, weights: float) -> TargetRow:
    deployment = target.deployment
    return TargetRow(
        deployment=deployment,
        price=_shown(price_known(deployment.provider, deployment.model)),
        traits=in_words(deployment),
        share=round(100 * (target.weight or 0) / weights) if weights else None,
    )


def _dollars(amount: Decimal) -> str:
    """Write `$0.60`, and as many digits more as there are."""
    text = f"{amount.normalize():f}"
    whole, _, fraction = text.partition(".")
    return f"${whole}.{fraction.ljust(2, '0')}"


def _shown(price: Price | None) -> ShownPrice | None:
    if price is None:
        return None
    by = {"operator": "your price", "demo": "free"}.get(
        price.version.split(" ")[0], "published price"
    )
    return ShownPrice(_dollars(price.input), _dollars(price.output), by)
