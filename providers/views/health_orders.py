"""What operators set by hand: a level, or a breaker's word. Asked twice, with reason and end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from providers import gateway
from providers.engine.levels import Level
from providers.health import levels, overrides, pulse, rungs
from providers.health.overrides import MINUTES, InvalidOverride, Wish
from providers.models import BreakerOrder, Deployment, LevelOverride, Team
from providers.people.standing import standing_of
from providers.views.forms import PageForm, go_on

HEALTH = "providers:health"
ALL = "all"
_MINUTES = [(str(minutes), words) for minutes, words in MINUTES.items()]
_WORDS = [
    (BreakerOrder.Word.OPEN, "Force open: nothing is sent to it"),
    (BreakerOrder.Word.CLOSED, "Force closed: it is asked whatever it has counted"),
    (BreakerOrder.Word.RESET, "Reset: close it and forget what it has counted"),
]


class WishForm(PageForm):
    minutes = forms.ChoiceField(label="How long", choices=_MINUTES, initial="15")
    reason = forms.CharField(
        label="Reason",
        max_length=500,
        help_text="Everybody who is affected can read it; it stays in the audit log.",
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Say why: others will ask."},
    )


class LevelForm(WishForm):
    level = forms.ChoiceField(label="Level", widget=forms.RadioSelect)
    scope = forms.ChoiceField(label="For whom", initial=ALL)
    field_order = ("level", "scope", "minutes", "reason")

    def __init__(self, data: object = None) -> None:
        super().__init__(data)  # type: ignore[arg-type]
        caps = gateway.health_numbers().caps
        choices = [(each, f"{each.capitalize()}: {rungs.effect(each, caps)}") for each in Level]
        self.fields["level"].choices = choices  # type: ignore[attr-defined]
        teams = Team.objects.order_by("name").values_list("pk", "name")
        self.fields["scope"].choices = [  # type: ignore[attr-defined]
            (ALL, "All teams"),
            *((str(pk), name) for pk, name in teams),
        ]


class BreakerForm(WishForm):
    word = forms.ChoiceField(label="The breaker", choices=_WORDS, widget=forms.RadioSelect)
    field_order = ("word", "minutes", "reason")


@dataclass(frozen=True)
class OrderPage:
    """`preview` in sentences: what will be different; empty: still to be filled in."""

    title: str
    intro: str
    form: WishForm
    preview: tuple[str, ...] = ()


@never_cache
def set_level(request: HttpRequest) -> HttpResponse:
    form = LevelForm(request.POST or None)
    page = OrderPage(
        "Set the level by hand",
        "It outweighs the score until it ends by itself or by hand.",
        form,
    )
    if request.method != "POST" or not form.is_valid():
        return _show(request, page)
    level, team = Level(form.cleaned_data["level"]), _team(form.cleaned_data["scope"])
    if "confirmed" not in request.POST:
        return _show(request, page, _preview(form, level, team))
    try:
        overrides.set_level(_wish(request, form), level, team)
    except InvalidOverride as fault:
        form.refuse(fault.field, fault.message)
        return _show(request, page)
    pulse.forget()
    return go_on(request, HEALTH, f"The level is {level} now.")


@require_POST
def end_level(request: HttpRequest, override_id: int) -> HttpResponse:
    override = get_object_or_404(LevelOverride, pk=override_id)
    overrides.end_level(standing_of(request).user, override)
    pulse.forget()
    return go_on(request, HEALTH, "The score decides again.")


@never_cache
def order_breaker(request: HttpRequest, deployment_id: int) -> HttpResponse:
    rows = Deployment.objects.select_related("provider")
    deployment = get_object_or_404(rows, pk=deployment_id)
    name = f"{deployment.provider.name}/{deployment.model}"
    form = BreakerForm(request.POST or None)
    page = OrderPage(f"Breaker of {name}", "In force in every process within two seconds.", form)
    if request.method != "POST" or not form.is_valid():
        return _show(request, page)
    word = BreakerOrder.Word(form.cleaned_data["word"])
    if "confirmed" not in request.POST:
        return _show(request, page, _preview_breaker(form, word, name))
    try:
        overrides.order_breaker(_wish(request, form), deployment, word, _state(deployment_id))
    except InvalidOverride as fault:
        form.refuse(fault.field, fault.message)
        return _show(request, page)
    pulse.forget()
    return go_on(request, HEALTH, f"{name}: {word.label.lower()}.")


@require_POST
def end_order(request: HttpRequest, order_id: int) -> HttpResponse:
    order = get_object_or_404(BreakerOrder.objects.select_related("deployment"), pk=order_id)
    overrides.end_order(standing_of(request).user, order)
    pulse.forget()
    return go_on(request, HEALTH, "The breaker decides by itself again.")


def _show(request: HttpRequest, page: OrderPage, preview: tuple[str, ...] = ()) -> HttpResponse:
    shown = OrderPage(page.title, page.intro, page.form, preview)
    return render(request, "providers/health_order.html", {"page": shown}, status=page.form.status)


def _wish(request: HttpRequest, form: WishForm) -> Wish:
    asked: dict[str, Any] = form.cleaned_data
    return Wish(standing_of(request).user, asked["reason"], int(asked["minutes"]))


def _team(scope: str) -> Team | None:
    return None if scope == ALL else get_object_or_404(Team, pk=scope)


def _preview(form: LevelForm, level: Level, team: Team | None) -> tuple[str, ...]:
    now = timezone.now()
    standing = levels.read(now).standing(team.pk if team else None, now)
    policy = gateway.policy_of(team.pk if team else None)
    caps = gateway.health_numbers().caps.of(policy)
    whom = team.name if team else "All teams without a level of their own"
    return (
        f"{whom}: from {standing.level} to {level}, for {_for(form)}.",
        rungs.effect(level, caps),
        "Prompts that are under way are not touched.",
    )


def _preview_breaker(form: BreakerForm, word: BreakerOrder.Word, name: str) -> tuple[str, ...]:
    told = {
        BreakerOrder.Word.OPEN: f"Nothing is sent to {name} for {_for(form)}; routes go on with"
        " what stands behind it, or fail.",
        BreakerOrder.Word.CLOSED: f"{name} is asked for {_for(form)}, also while it fails.",
        BreakerOrder.Word.RESET: f"{name} is asked again at once, and begins to count anew.",
    }
    return (told[word], "Prompts that are under way are not touched.")


def _for(form: WishForm) -> str:
    return MINUTES[int(form.cleaned_data["minutes"])]


def _state(deployment_id: int) -> str:
    words = [each.word for each in gateway.breakers() if each.deployment_id == deployment_id]
    return max(words, default="unused here")
