"""What Run and the other buttons of the playground send."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from conversations.attachments import AttachmentRefused, Picture, read_pictures
from conversations.choices import Choices
from providers.engine import json_schema
from providers.engine.errors import InvalidRequest
from providers.engine.request import Effort, ResponseSchema

MAX_PROMPT = 200_000
MAX_TOOLS = 32
OUTPUTS = (("text", "Text"), ("json", "JSON"), ("schema", "JSON to a schema"))
EFFORTS = (("", "the model's own"), *((each.value, each.value) for each in Effort))


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
    effort = forms.ChoiceField(choices=EFFORTS, required=False, label="Thinking")
    output = forms.ChoiceField(choices=OUTPUTS, required=False, label="Answer as")
    schema = forms.CharField(max_length=json_schema.MOST_BYTES, required=False)

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        data["tools"] = self._tools()
        if data.get("output") == "schema" and "schema" in data:
            try:
                data["schema"] = _schema(data["schema"])
            except forms.ValidationError as fault:
                self.add_error("schema", fault)
        return data

    def choices(self) -> Choices:
        data: dict[str, Any] = self.cleaned_data
        outputs = {"json": ResponseSchema(), "schema": ResponseSchema(data["schema"] or None)}
        return Choices(
            route=data["route"],
            system_prompt=data["system_prompt"],
            temperature=data["temperature"],
            max_output_tokens=data["max_output_tokens"],
            effort=Effort(data["effort"]) if data["effort"] else None,
            tools=data["tools"],
            output=outputs.get(data["output"]),
        )

    def _tools(self) -> tuple[str, ...]:
        """Which of them there are, the engine knows; here they are only bounded."""
        named = self.data.getlist("tools") if isinstance(self.data, QueryDict) else []
        return tuple(dict.fromkeys(name[:64] for name in named[:MAX_TOOLS]))


class RunForm(ChoicesForm):
    text = forms.CharField(max_length=MAX_PROMPT, strip=False, label="Message", required=False)

    def __init__(self, data: QueryDict, files: MultiValueDict[str, Any]) -> None:
        super().__init__(data)
        self._uploaded = files.getlist("pictures")
        self.pictures: list[Picture] = []

    def clean(self) -> dict[str, Any]:
        data = super().clean()
        try:
            self.pictures = read_pictures(self._uploaded)
        except AttachmentRefused as refused:
            raise forms.ValidationError(str(refused)) from None
        if not data.get("text", "").strip() and not self.pictures:
            self.add_error("text", "Write a message first.")
        return data


def faults(form: forms.Form) -> str:
    """All that is wrong with it, in words for one line."""
    return " ".join(_fault(form, name, errors) for name, errors in form.errors.items())


def _fault(form: forms.Form, name: str, errors: Any) -> str:
    words = " ".join(map(str, errors))
    field = form.fields.get(name)
    return f"{field.label or name.capitalize()}: {words}" if field else words


def _schema(text: str) -> Any:
    if not text.strip():
        raise forms.ValidationError("Write a JSON Schema, or choose JSON without one.")
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as fault:
        place = f", line {fault.lineno}" if isinstance(fault, json.JSONDecodeError) else ""
        raise forms.ValidationError(f"This is not JSON{place}.") from None
    try:
        json_schema.check(schema, "The schema")
    except InvalidRequest as refused:
        raise forms.ValidationError(refused.message) from None
    return schema
