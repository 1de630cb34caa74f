"""Prices: what each model in use costs, who says so, and the operator's own with their history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from providers.catalog import overrides, price_versions
from providers.catalog.faults import CatalogError
from providers.catalog.overrides import Override, State
from providers.catalog.prices import price_of, published_of
from providers.engine.usage import Price as Rates
from providers.models import Deployment, Price
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show

PRICES = "providers:prices"
_PICKER = {"type": "datetime-local", "step": "60"}
_MOMENTS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]


def _rate(label: str, *, required: bool) -> forms.DecimalField:
    widget = forms.NumberInput(attrs={"inputmode": "decimal", "step": "any", "min": "0"})
    return forms.DecimalField(
        label=label, required=required, min_value=Decimal(0), decimal_places=6, widget=widget
    )


def _moment(label: str, help_text: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs=_PICKER, format=_MOMENTS[0])
    return forms.DateTimeField(
        label=label, required=False, input_formats=_MOMENTS, widget=widget, help_text=help_text
    )


class PriceForm(PageForm):
    input = _rate("Input, $ per M tokens", required=True)
    output = _rate("Output, $ per M tokens", required=True)
    cache_read = _rate("Cache reads", required=False)
    cache_write = _rate("Cache writes", required=False)
    begins = _moment("From (UTC)", "Empty: from now on. A later one holds from that moment.")
    until = _moment("Until (UTC)", "Empty: until another price begins.")
    source = forms.CharField(
        label="Where it is from",
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "Contract of May 2026, annex B"}),
    )

    @property
    def override(self) -> Override:
        values = self.cleaned_data
        return Override(
            input_usd=values["input"],
            output_usd=values["output"],
            source=values["source"],
            begins=values["begins"],
            cache_read_usd=values["cache_read"],
            cache_write_usd=values["cache_write"],
            until=values["until"],
        )


@dataclass(frozen=True)
class Shown:
    """Dollars per million tokens in words; a cache rate that is empty is that of input."""

    input: str
    output: str
    cache_read: str = ""
    cache_write: str = ""
    longer: str = ""


@dataclass(frozen=True)
class Row:
    """`own` None: published, or `shown` None as well: nobody knows it. `source` in words.

    `since` is when this price was first used here; `planned` begins next, and is `then` in words.
    """

    deployment: Deployment
    routes: list[str]
    shown: Shown | None
    source: str
    own: Price | None
    since: datetime | None
    planned: Price | None
    then: Shown | None


@dataclass(frozen=True)
class PricesPage:
    unpriced: list[Row]
    rows: list[Row]


@dataclass(frozen=True)
class Past:
    price: Price
    shown: Shown
    state: State

    @property
    def may_end(self) -> bool:
        return self.state in {State.IN_FORCE, State.PLANNED}


@dataclass(frozen=True)
class PricePage:
    """`published` is what would hold without a price of one's own; None: nobody publishes one."""

    deployment: Deployment
    form: PriceForm
    now: Row
    published: Shown | None
    history: list[Past]


@require_safe
def prices_page(request: HttpRequest) -> HttpResponse:
    rows = [_row(deployment) for deployment in _in_use()]
    unpriced = [row for row in rows if row.shown is None]
    return show(request, "prices", PricesPage(unpriced, [row for row in rows if row.shown]))


def edit(request: HttpRequest, deployment_id: int) -> HttpResponse:
    """Show a model's price with its history; a sent form adds to it."""
    deployment = get_object_or_404(Deployment.objects.select_related("provider"), pk=deployment_id)
    form = PriceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = overrides.add(deployment, form.override, standing_of(request).user)
        except CatalogError as fault:
            form.refuse(fault.field, fault.message)
        else:
            begins = "holds" if made.effective_from <= timezone.now() else "is planned"
            return go_on(request, PRICES, f"The price of {deployment.named} {begins}.")
    return show(request, "price", _page(deployment, form), form.status)


@require_POST
def end(request: HttpRequest, price_id: int) -> HttpResponse:
    row = get_object_or_404(Price.objects.select_related("deployment__provider"), pk=price_id)
    overrides.end(row, standing_of(request).user)
    words = f"That price of {row.deployment.named} holds no longer."
    return go_on(request, "providers:price", words, row.deployment_id)


def _in_use() -> QuerySet[Deployment]:
    """Models that a route leads to, by name."""
    found = Deployment.objects.filter(targets__isnull=False).distinct()
    return (
        found
        .select_related("provider")
        .prefetch_related("targets__route", "prices")
        .order_by("provider__name", "model")
    )


def _page(deployment: Deployment, form: PriceForm) -> PricePage:
    now = timezone.now()
    history = overrides.states(list(deployment.prices.all()), now)
    published = published_of(deployment, now)
    return PricePage(
        deployment=deployment,
        form=form,
        now=_row(deployment),
        published=_shown(published),
        history=[Past(price, _own(price), state) for price, state in history],
    )


def _row(deployment: Deployment) -> Row:
    now = timezone.now()
    own = list(deployment.prices.all())
    price = price_of(deployment, now)
    planned = [row for row, state in overrides.states(own, now) if state is State.PLANNED]
    holds = overrides.in_force(own, now)
    return Row(
        deployment=deployment,
        routes=sorted({target.route.name for target in deployment.targets.all()}),
        shown=_shown(price),
        source=_source(price, holds),
        own=holds,
        since=_since(price, holds),
        planned=planned[-1] if planned else None,
        then=_own(planned[-1]) if planned else None,
    )


def _source(price: Rates | None, own: Price | None) -> str:
    if own is not None:
        return own.source or "set with a route"
    if price is None:
        return ""
    library, _, rest = price.version.partition(" ")
    if library != "genai-prices":
        return "nothing is billed"
    return f"published, as {library} {rest.partition(' ')[0]} has it"


def _since(price: Rates | None, own: Price | None) -> datetime | None:
    if own is not None:
        return own.effective_from
    return None if price is None else price_versions.first_seen(price.version)


def _shown(price: Rates | None) -> Shown | None:
    if price is None:
        return None
    longer = [
        f"beyond {beyond:,} tokens {_usd(tier.input)} in, {_usd(tier.output)} out"
        for beyond, tier in price.tiers
    ]
    return Shown(
        _usd(price.input),
        _usd(price.output),
        "" if price.cache_read is None else _usd(price.cache_read),
        "" if price.cache_write is None else _usd(price.cache_write),
        "; ".join(longer),
    )


def _own(row: Price) -> Shown:
    return Shown(
        _usd(row.input_usd),
        _usd(row.output_usd),
        "" if row.cache_read_usd is None else _usd(row.cache_read_usd),
        "" if row.cache_write_usd is None else _usd(row.cache_write_usd),
    )


def _usd(amount: Decimal) -> str:
    """Write `$0.60`, and as many digits more as there are."""
    whole, _, fraction = f"{amount.normalize():f}".partition(".")
    return f"${whole}.{fraction.ljust(2, '0')}"
