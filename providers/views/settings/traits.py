"""The part of a target that most people leave as it is: its weight, limits, timeouts, abilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms

from providers.catalog.traits import TRAITS, Trait, lacks_of
from providers.engine.needs import PLAIN
from providers.engine.routes import Ability
from providers.models import RouteTarget
from providers.views.forms import PageForm


def _begun(words: str) -> str:
    return words[0].upper() + words[1:]


def _number(trait: Trait) -> forms.FloatField | forms.IntegerField:
    kind = forms.IntegerField if trait.is_whole else forms.FloatField
    step = {} if trait.is_whole else {"step": "any"}
    return kind(
        label=trait.label,
        required=False,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "min": "0", **step}),
    )


@dataclass(frozen=True)
class Group:
    title: str
    hint: str
    fields: list[forms.BoundField]


GROUPS = (
    (
        "Who is asked",
        "Weights share out who is asked first. With none it is always the first target.",
        ("weight", "context_tokens", "max_attempts"),
    ),
    ("Our limits", "", ("requests_per_second", "burst", "tokens_per_minute")),
    (
        "Timeouts",
        "",
        ("connect_timeout_s", "first_token_timeout_s", "idle_timeout_s", "total_timeout_s"),
    ),
)


class TraitsForm(PageForm):
    """Its fields come from the table of traits; an empty one is the default."""

    weight = forms.FloatField(
        label="Weight",
        required=False,
        widget=forms.NumberInput(attrs={"inputmode": "decimal", "min": "0", "step": "any"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, trait in TRAITS.items():
            self.fields[name] = _number(trait)
        for ability in Ability:
            self.fields[f"lacks_{ability}"] = forms.BooleanField(
                label=_begun(PLAIN[ability]), required=False
            )

    @property
    def numbers(self) -> dict[str, float | None]:
        return {name: self.cleaned_data[name] for name in TRAITS}

    @property
    def lacks(self) -> frozenset[Ability]:
        return frozenset(one for one in Ability if self.cleaned_data[f"lacks_{one}"])

    @property
    def groups(self) -> list[Group]:
        return [Group(title, hint, [self[name] for name in names]) for title, hint, names in GROUPS]

    def show_defaults(self, defaults: Mapping[str, Any]) -> None:
        """Put into each empty field, in grey, what then holds."""
        for name in TRAITS:
            value = defaults[name]
            none = "not known" if name == "context_tokens" else "no limit"
            self.fields[name].widget.attrs["placeholder"] = (
                none if value is None else f"{value:.9g}"
            )

    @property
    def lack_fields(self) -> list[forms.BoundField]:
        return [self[f"lacks_{ability}"] for ability in Ability]

    @property
    def is_opened(self) -> bool:
        """Something is set in it, or wrong."""
        numbers = [field for group in self.groups for field in group.fields]
        return any(field.value() or field.errors for field in [*numbers, *self.lack_fields])


def stored(target: RouteTarget) -> dict[str, Any]:
    """Read what stands in the rows, by the names of the form's fields."""
    deployment = target.deployment
    numbers = {name: getattr(deployment, name) for name in TRAITS}
    lacks = {f"lacks_{ability}": True for ability in lacks_of(deployment)}
    return {"weight": target.weight, **numbers, **lacks}
