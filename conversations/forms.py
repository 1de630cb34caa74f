"""What Run and the other buttons of the playground send."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict

from conversations.attachments import AttachmentRefused, Picture, read_pictures
from conversations.batches import prompts
from conversations.batches.book import Wanted
from conversations.batches.prompts import Format, Prompt, PromptsRefused
from conversations.choices import Choices
from providers.engine import json_schema
from providers.engine.errors import InvalidRequest
from providers.engine.request import Effort, ResponseSchema
from providers.engine.tags import checked

MAX_PROMPT = 200_000
MAX_TOOLS = 32
MAX_PASTED = 500_000
FORMATS = (
    ("", "as the file's name says; pasted: one a line"),
    (Format.LINES.value, "one prompt a line"),
    (Format.CSV.value, "CSV with a header"),
    (Format.JSONL.value, "JSON lines"),
)
OUTPUTS = (("text", "Text"), ("json", "JSON"), ("schema", "JSON to a schema"))
EFFORTS = (("", "the model's own"), *((each.value, each.value) for each in Effort))


@dataclass(frozen=True, slots=True)
class Most:
    """What a batch may have at most."""

    prompts: int
    bytes: int

    @property
    def megabytes(self) -> str:
        return f"{self.bytes / 1_000_000:g}"


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


class BatchForm(forms.Form):
    """Prompts by file or pasted, and how all of them are asked. `prompts` is there once valid."""

    name = forms.CharField(
        max_length=120, required=False, help_text="Empty: the file's name, or the first prompt."
    )
    file = forms.FileField(required=False, label="File")
    text = forms.CharField(
        max_length=MAX_PASTED,
        required=False,
        strip=False,
        label="Or paste them here",
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false", "class": "mono"}),
    )
    format = forms.ChoiceField(choices=FORMATS, required=False, label="Written as")
    route = forms.ChoiceField(label="Model")
    system_prompt = forms.CharField(
        max_length=MAX_PROMPT,
        required=False,
        strip=False,
        label="System prompt",
        help_text="For every line that has none of its own.",
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    max_output_tokens = forms.IntegerField(
        min_value=1,
        max_value=1_000_000,
        required=False,
        label="Max tokens",
        help_text="Of each answer. Empty: the route's limit, which is what is held for each.",
    )
    temperature = forms.FloatField(
        min_value=0,
        max_value=2,
        required=False,
        help_text="Empty: the model's own. Up to 0.8 the same prompt is paid for once.",
        widget=forms.NumberInput(attrs={"step": "0.1"}),
    )

    tag = forms.CharField(
        max_length=64,
        required=False,
        help_text="What it is for, in a word; spending can be told apart by it.",
    )

    def __init__(
        self, routes: Sequence[str], most: Most, data: Any = None, files: Any = None, **more: Any
    ) -> None:
        super().__init__(data, files, **more)
        self.fields["route"].choices = [(name, name) for name in routes]  # type: ignore[attr-defined] # it is a ChoiceField
        self.fields["file"].widget.attrs["accept"] = ".csv,.tsv,.jsonl,.ndjson,.txt"
        self._most = most
        self.prompts: list[Prompt] = []
        self.line_faults: Sequence[str] = ()

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        try:
            text, form = self._given(data)
            self.prompts = prompts.read(text, form, self._most.prompts)
        except PromptsRefused as refused:
            self.line_faults = refused.faults
            raise forms.ValidationError("These prompts cannot be taken.") from None
        return data

    def wanted(self) -> Wanted:
        data: dict[str, Any] = self.cleaned_data
        choices = Choices(
            route=data["route"],
            system_prompt=data["system_prompt"],
            temperature=data["temperature"],
            max_output_tokens=data["max_output_tokens"],
        )
        return Wanted(self._name(data), choices, self.prompts, data["tag"])

    def clean_tag(self) -> str:
        tag: str = self.cleaned_data["tag"]
        try:
            return checked(tag, "tag") if tag else ""
        except InvalidRequest as refused:
            raise forms.ValidationError(refused.message) from None

    def _given(self, data: Mapping[str, Any]) -> tuple[str, Format]:
        file, pasted = data.get("file"), data.get("text") or ""
        chosen = Format(data["format"]) if data.get("format") else None
        if file is None:
            if not pasted.strip():
                raise PromptsRefused("Choose a file, or paste some prompts.")
            return pasted, chosen or Format.LINES
        if pasted.strip():
            raise PromptsRefused("There is a file and a pasted text; send one of them.")
        if file.size > self._most.bytes:
            raise PromptsRefused(
                f"The file has {file.size:,} bytes; at most {self._most.bytes:,} are taken."
            )
        return prompts.decoded(file.read()), chosen or prompts.format_of(file.name)

    def _name(self, data: Mapping[str, Any]) -> str:
        file = data.get("file")
        named = data["name"] or (file.name if file else self.prompts[0].text)
        return " ".join(str(named).split())[:120]


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
