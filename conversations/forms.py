"""What Run and the other buttons of the playground send."""

from __future__ import annotations

from typing import Any

from django import forms

from conversations.history import Choices

MAX_PROMPT = 200_000


class ChoicesForm(forms.Form):
    """The settings of a thread; an empty number is unset."""

    route = forms.CharField(max_length=120)
    system_prompt = forms.CharField(
        max_length=MAX_PROMPT, required=False, strip=False, label="System prompt"
    )
    temperature = forms.FloatField(min_value=0, max_value=2, required=False)
    max_output_tokens = forms.IntegerField(
        min_value=1, max_value=1_000_000, required=False, label="Max tokens"
    )

    def choices(self) -> Choices:
        data: dict[str, Any] = self.cleaned_data
        return Choices(
            route=data["route"],
            system_prompt=data["system_prompt"],
            temperature=data["temperature"],
            max_output_tokens=data["max_output_tokens"],
        )


class RunForm(ChoicesForm):
    text = forms.CharField(max_length=MAX_PROMPT, strip=False, label="Message")

    def clean_text(self) -> str:
        text: str = self.cleaned_data["text"]
        if not text.strip():
            raise forms.ValidationError("Write a message first.")
        return text


def faults(form: forms.Form) -> str:
    """All that is wrong with it, in words for one line."""
    return " ".join(
        f"{form.fields[name].label or name.capitalize()}: {' '.join(map(str, errors))}"
        for name, errors in form.errors.items()
    )
