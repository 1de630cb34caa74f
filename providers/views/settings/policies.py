"""The policy of the active team: what filters do, emergency answers, numbers of degradation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.conf import settings
from django.forms import BaseFormSet, formset_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from providers.engine import policy as engine
from providers.engine.errors import Violation
from providers.engine.filters.finder import finder_of
from providers.engine.filters.patterns import LONGEST, LONGEST_PATTERN, MOST_PATTERNS
from providers.engine.filters.spans import Kind, Span, replaced
from providers.engine.filters.verdicts import blocked, label
from providers.engine.policy import FilterMode, NamedPattern, Policy, PredefinedAnswer
from providers.models import AfterHangUp, Deployment, Route, Team
from providers.people.standing import standing_of
from providers.policies import kept
from providers.policies.kept import PolicyFault
from providers.views.forms import PageForm, go_on
from providers.views.settings.sections import show

POLICIES = "providers:policies"
_MOST_ANSWERS = 50
_LONGEST_TRIED = 20_000
# Well below the deadline of a hold.
_LONGEST_DRAIN_S = 600
_MODES = [
    (FilterMode.OFF.value, "Off"),
    (FilterMode.FLAG.value, "Flag"),
    (FilterMode.REDACT.value, "Redact"),
    (FilterMode.BLOCK.value, "Block"),
]
_DETECTORS: dict[str, str] = {
    Kind.EMAIL: "E-mail addresses",
    Kind.PHONE: "Telephone numbers",
    Kind.CREDIT_CARD: "Card numbers",
    Kind.IBAN: "Bank accounts (IBAN)",
    Kind.SSN: "US social security numbers",
    Kind.IP_ADDRESS: "IP addresses",
    Kind.API_KEY: "API keys",
    Kind.JWT: "Access tokens (JWT)",
}
_SHARE = {"step": "0.05", "inputmode": "decimal"}
_TOKENS = {"inputmode": "numeric"}
_NUMBERS = (
    "simplified_below",
    "essential_below",
    "emergency_below",
    "simplified_tokens",
    "essential_tokens",
)


def _share(words: str) -> forms.FloatField:
    widget = forms.NumberInput(attrs=_SHARE)
    return forms.FloatField(label=words, min_value=0, max_value=1, required=False, widget=widget)


def _tokens(words: str) -> forms.IntegerField:
    widget = forms.NumberInput(attrs=_TOKENS)
    return forms.IntegerField(
        label=words, min_value=1, max_value=1_000_000, required=False, widget=widget
    )


class PolicyForm(PageForm):
    pii_input = forms.ChoiceField(label="In prompts", choices=_MODES)
    pii_output = forms.ChoiceField(label="In answers", choices=_MODES)
    pii_tools = forms.ChoiceField(label="In what tools give", choices=_MODES)
    pii_detectors = forms.MultipleChoiceField(
        label="Look for",
        choices=list(_DETECTORS.items()),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one, or switch the filters off."},
    )
    pii_allow = forms.CharField(
        label="Let these pass",
        required=False,
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="One a line, such as help@example.org, or @example.org for all its addresses.",
    )
    hang_up = forms.ChoiceField(
        label="What becomes of its answer", choices=AfterHangUp.choices, widget=forms.RadioSelect
    )
    drain_s = forms.IntegerField(
        label="For at most, seconds",
        min_value=1,
        max_value=_LONGEST_DRAIN_S,
        widget=forms.NumberInput(attrs=_TOKENS),
    )
    drain_usd = forms.DecimalField(
        label="For at most, dollars",
        min_value=0,
        max_value=10_000,
        max_digits=10,
        decimal_places=4,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    simplified_below = _share("Simplified below")
    essential_below = _share("Essential below")
    emergency_below = _share("Emergency below")
    simplified_tokens = _tokens("Most tokens, simplified")
    essential_tokens = _tokens("Most tokens, essential")
    fast_route = forms.ChoiceField(label="Fast route", required=False)

    def __init__(self, data: Any = None, *, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        installed = settings.GAIWEB.degradation
        for name in _NUMBERS:
            self.fields[name].widget.attrs["placeholder"] = f"{getattr(installed, name):g}"
        self.fields["fast_route"].choices = _fast_routes(installed.fast_route)  # type: ignore[attr-defined]


def _fast_routes(installed: str) -> list[tuple[str, Any]]:
    routes = Route.objects.filter(is_enabled=True).order_by("name").values_list("name", flat=True)
    models = Deployment.objects.filter(is_enabled=True).select_related("provider")
    names = sorted(f"{each.provider.name}/{each.model}" for each in models)
    return [
        ("", f"default: {installed or 'none'}"),
        ("Routes", [(name, name) for name in routes]),
        ("Models", [(name, name) for name in names]),
    ]


class PatternForm(forms.Form):
    name = forms.CharField(label="Name", required=False, max_length=40)
    pattern = forms.CharField(
        label="Regular expression (RE2)",
        required=False,
        max_length=LONGEST_PATTERN,
        strip=False,
        widget=forms.TextInput(attrs={"class": "mono", "spellcheck": "false"}),
    )


class AnswerForm(forms.Form):
    match = forms.CharField(label="If the prompt says", required=False, max_length=200)
    answer = forms.CharField(
        label="Answer",
        required=False,
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = self.cleaned_data
        if values.get("match") and not values.get("answer"):
            self.add_error("answer", "Write what to answer, or empty the words.")
        return values


PatternForms = formset_factory(PatternForm, extra=1, max_num=MOST_PATTERNS, absolute_max=40)
AnswerForms = formset_factory(AnswerForm, extra=1, max_num=_MOST_ANSWERS, absolute_max=100)


@dataclass(frozen=True)
class PolicyPage:
    """`fault` is about the rows of patterns together, not about one field."""

    team: Team
    form: PolicyForm
    patterns: BaseFormSet[Any]
    answers: BaseFormSet[Any]
    fault: str = ""
    longest: int = LONGEST


@dataclass(frozen=True)
class Piece:
    """Text to show; `kind` empty: nothing was found in it."""

    text: str
    kind: str = ""
    words: str = ""


@dataclass(frozen=True)
class Tried:
    """What the filters find in a text, and what each mode does to it. Nothing of it is kept."""

    pieces: list[Piece] = field(default_factory=list)
    counts: list[tuple[str, int]] = field(default_factory=list)
    redacted: str = ""
    refusal: str = ""
    fault: str = ""


@never_cache
def policies_page(request: HttpRequest) -> HttpResponse:
    team = _team(request)
    form, patterns, answers = _forms(request.POST or None, kept.of_team(team))
    fault = ""
    if request.method == "POST" and _are_valid(form, patterns, answers):
        try:
            kept.save(team, _policy(form, patterns, answers), standing_of(request).user)
        except PolicyFault as refused:
            if refused.field in form.fields:
                form.refuse(refused.field, refused.message)
            fault = refused.message
        else:
            return go_on(request, POLICIES, f"The policy of {team.name} is in force.")
    # Who comes here with a form comes with a faulty one.
    status = max(form.status, 422 if request.method == "POST" else 200)
    return show(request, "policies", PolicyPage(team, form, patterns, answers, fault), status)


@never_cache
@require_POST
@sensitive_post_parameters("text")
def try_policy(request: HttpRequest) -> HttpResponse:
    """Look through a text with the form as it stands, saved or not."""
    form, patterns, answers = _forms(request.POST, kept.of_team(_team(request)))
    text = request.POST.get("text", "")[:_LONGEST_TRIED]
    if _are_valid(form, patterns, answers):
        tried = _tried(text, _policy(form, patterns, answers))
    else:
        tried = Tried(fault="Put the form in order first, then try it.")
    return render(request, "providers/settings/policy_tried.html", {"tried": tried})


def _tried(text: str, policy: Policy) -> Tried:
    try:
        kept.check(policy)
    except PolicyFault as refused:
        return Tried(fault=refused.message)
    spans = finder_of(policy, settings.GAIWEB.pii_phone_regions).find(text)
    counts = Counter(span.kind for span in spans)
    refusal = blocked([Violation(span.kind) for span in spans]).message if spans else ""
    return Tried(
        pieces=list(_pieces(text, spans)),
        counts=[(_short(kind), count) for kind, count in counts.items()],
        redacted=replaced(text, spans),
        refusal=refusal,
    )


def _pieces(text: str, spans: list[Span]) -> Iterator[Piece]:
    last = 0
    for span in spans:
        if span.start > last:
            yield Piece(text[last : span.start])
        yield Piece(text[span.start : span.end], span.kind, label(span.kind))
        last = span.end
    if last < len(text):
        yield Piece(text[last:])


def _short(kind: str) -> str:
    return _DETECTORS.get(kind, kind)


def _team(request: HttpRequest) -> Team:
    team = standing_of(request).team
    if team is None:
        raise Http404("There is no team.")
    return team


def _forms(data: Any, policy: Policy) -> tuple[PolicyForm, BaseFormSet[Any], BaseFormSet[Any]]:
    now = {
        **{name: getattr(policy, name) for name in PolicyForm.base_fields},
        "pii_detectors": policy.pii_detectors or list(_DETECTORS),
        "pii_allow": "\n".join(policy.pii_allow),
    }
    patterns = [{"name": one.name, "pattern": one.pattern} for one in policy.pii_patterns]
    answers = [{"match": one.match, "answer": one.answer} for one in policy.answers]
    return (
        PolicyForm(data, initial=now),
        PatternForms(data, prefix="patterns", initial=patterns),
        AnswerForms(data, prefix="answers", initial=answers),
    )


def _are_valid(form: PolicyForm, patterns: BaseFormSet[Any], answers: BaseFormSet[Any]) -> bool:
    return all([form.is_valid(), patterns.is_valid(), answers.is_valid()])


def _policy(form: PolicyForm, patterns: BaseFormSet[Any], answers: BaseFormSet[Any]) -> Policy:
    values = dict(form.cleaned_data)
    detectors = tuple(values.pop("pii_detectors"))
    allow = tuple(line.strip() for line in values.pop("pii_allow").splitlines() if line.strip())
    values["hang_up"] = engine.AfterHangUp(values["hang_up"])
    for name in ("pii_input", "pii_output", "pii_tools"):
        values[name] = FilterMode(values[name])
    return Policy(
        **values,
        pii_detectors=() if len(detectors) == len(_DETECTORS) else detectors,
        pii_allow=allow,
        pii_patterns=tuple(
            NamedPattern(row.get("name", "").strip(), row.get("pattern", ""))
            for row in patterns.cleaned_data
            if row.get("name") or row.get("pattern")
        ),
        # An answer without words to match is for every prompt.
        answers=tuple(
            PredefinedAnswer(row.get("match", ""), row["answer"])
            for row in answers.cleaned_data
            if row.get("answer")
        ),
    )
