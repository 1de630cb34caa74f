"""Forms of tools, one a kind: what it is, and who may use it."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile

from providers.models import Team, Tool, ToolKind, User
from providers.people.permissions import Capability
from providers.people.standing import Standing
from providers.tools import rows
from providers.tools.kept import Audience, Draft, ToolRefused
from providers.tools.rows import RowsRefused, Table
from providers.views.forms import PageForm

_NO_ARGUMENTS = '{\n  "type": "object",\n  "properties": {},\n  "required": []\n}'
_CODE = {"class": "mono", "spellcheck": "false"}


class ToolForm(PageForm):
    """`tool` None: a new one. Choices are those of the person's own reach."""

    name = forms.RegexField(
        r"^[a-zA-Z][a-zA-Z0-9_-]{0,63}$",
        label="Name",
        help_text="As models and scripts call it: letters, digits, _ and -.",
        error_messages={"invalid": "Begin with a letter; then letters, digits, _ and -."},
    )
    description = forms.CharField(
        label="Description",
        max_length=900,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="A model decides by these words when to call it.",
    )
    for_everybody = forms.BooleanField(label="Everybody", required=False)
    teams = forms.MultipleChoiceField(
        label="Teams", required=False, widget=forms.CheckboxSelectMultiple
    )
    users = forms.MultipleChoiceField(
        label="People", required=False, widget=forms.CheckboxSelectMultiple
    )
    audience_fields = ("for_everybody", "teams", "users")

    def __init__(self, standing: Standing, tool: Tool | None, data: Any, files: Any) -> None:
        super().__init__(data, files, initial=self._initial(tool) if tool else {})
        self._tool = tool
        self._standing = standing
        self._is_operator = standing.may(Capability.MANAGE_TOOLS)
        self._teams, self._people = self._reach()
        self.fields["teams"].choices = [  # type: ignore[attr-defined] # of a choice field
            (str(each.pk), each.name) for each in self._teams
        ]
        self.fields["users"].choices = [  # type: ignore[attr-defined] # of a choice field
            (str(each.pk), each.email) for each in self._people
        ]
        if not self._is_operator:
            del self.fields["for_everybody"]
        if tool is not None:
            del self.fields["name"]

    def draft(self) -> Draft:
        return Draft(self.cleaned_data["description"], self.audience(), **self._parts())

    def _parts(self) -> dict[str, Any]:
        """Name what the kind has beside words and audience."""
        return {}

    def table(self) -> Table | None:
        """Rows that were uploaded; None: none were. Raises RowsRefused."""
        return None

    def sample(self) -> str:
        """Arguments to begin a test with."""
        return "{}"

    def audience(self) -> Audience:
        """Whom somebody else has given it to keeps it, where this person may not take it away."""
        teams = [each for each in self._teams if str(each.pk) in self.cleaned_data["teams"]]
        users = [each for each in self._people if str(each.pk) in self.cleaned_data["users"]]
        tool = self._tool
        if self._is_operator or tool is None:
            return Audience(self.cleaned_data.get("for_everybody", False), teams, users)
        others = tool.teams.exclude(pk__in=[each.pk for each in self._teams])
        strangers = tool.users.exclude(pk__in=[each.pk for each in self._people])
        return Audience(tool.for_everybody, [*teams, *others], [*users, *strangers])

    def refuse_of(self, fault: ToolRefused | RowsRefused) -> None:
        self.refuse(fault.field if isinstance(fault, ToolRefused) else "file", str(fault))

    def _reach(self) -> tuple[list[Team], list[User]]:
        if self._is_operator:
            return list(Team.objects.order_by("name")), list(
                User.objects.filter(is_active=True).order_by("email")
            )
        team = self._standing.team
        if team is None:
            return [], []
        members = User.objects.filter(is_active=True, memberships__team=team)
        return [team], list(members.order_by("email"))

    @staticmethod
    def _initial(tool: Tool) -> dict[str, Any]:
        facts = tool.facts
        return {
            "description": tool.description,
            "for_everybody": tool.for_everybody,
            "teams": [str(pk) for pk in tool.teams.values_list("pk", flat=True)],
            "users": [str(pk) for pk in tool.users.values_list("pk", flat=True)],
            "parameters": json.dumps(tool.parameters, indent=2, ensure_ascii=False),
            "url": facts.get("url"),
            "header": facts.get("header"),
            "result": facts.get("result"),
            "error": facts.get("error"),
            "delay_s": facts.get("delay_s"),
            "cases": "\n".join(_line(case) for case in facts.get("cases", [])),
        }


class BuiltInForm(ToolForm):
    description = None  # type: ignore[assignment] # it is the tool's own

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        cleaned["description"] = self._tool.description if self._tool else ""
        return cleaned

    def sample(self) -> str:
        examples = {"calculator": {"expression": "(3.5 + 2) * 12 ** 2"}}
        name = self._tool.name if self._tool else ""
        return json.dumps(examples.get(name, {"time_zone": "Europe/Paris"}))


class SchemaForm(ToolForm):
    parameters = forms.CharField(
        label="Arguments, as a JSON Schema",
        initial=_NO_ARGUMENTS,
        widget=forms.Textarea(attrs={"rows": 8, **_CODE}),
        max_length=64_000,
    )

    def clean_parameters(self) -> Any:
        try:
            return json.loads(self.cleaned_data["parameters"])
        except ValueError as fault:
            raise forms.ValidationError(f"This is not JSON: {fault}.") from None


class HttpsForm(SchemaForm):
    url = forms.CharField(
        label="Address",
        max_length=500,
        help_text="Called with POST and the arguments in JSON; its answer goes to the model.",
        widget=forms.URLInput(attrs={"placeholder": "https://tools.example.com/weather"}),
    )
    header = forms.RegexField(
        r"^[A-Za-z][A-Za-z0-9-]{0,63}$",
        label="Secret header",
        initial="Authorization",
        help_text="Its value is sealed when saved, and never shown again.",
    )
    secret = forms.CharField(
        label="Its value",
        required=False,
        strip=True,
        max_length=4000,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    field_order = ("name", "description", "url", "header", "secret", "parameters")

    def clean_secret(self) -> str:
        value: str = self.cleaned_data["secret"]
        if not (value.isascii() and (value.isprintable() or not value)):
            raise forms.ValidationError("A header holds letters, digits and plain signs only.")
        return value

    def _parts(self) -> dict[str, Any]:
        facts = {name: self.cleaned_data[name] for name in ("url", "header")}
        parameters = self.cleaned_data["parameters"]
        return {"facts": facts, "parameters": parameters, "secret": self.cleaned_data["secret"]}


class MockForm(SchemaForm):
    result = forms.CharField(
        label="It answers",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    cases = forms.CharField(
        label="Answers by arguments",
        required=False,
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 3, **_CODE}),
        help_text='One a line: {"city": "Paris"} => 19 °C. The first that fits is taken.',
    )
    error = forms.CharField(
        label="It fails with these words",
        required=False,
        max_length=500,
        help_text="Empty: it does not fail.",
    )
    delay_s = forms.FloatField(
        label="Seconds until it answers", min_value=0, max_value=30, initial=0
    )
    field_order = ("name", "description", "result", "cases", "error", "delay_s", "parameters")

    def clean_cases(self) -> list[dict[str, Any]]:
        lines = [line for line in self.cleaned_data["cases"].splitlines() if line.strip()]
        return [_case(number, line) for number, line in enumerate(lines, start=1)]

    def _parts(self) -> dict[str, Any]:
        names = ("result", "cases", "error", "delay_s")
        facts = {name: self.cleaned_data[name] for name in names}
        return {"facts": facts, "parameters": self.cleaned_data["parameters"]}


class RowsForm(ToolForm):
    file = forms.FileField(
        label="Rows as CSV",
        required=False,
        help_text=(
            f"UTF-8; the first line names the columns. At most {rows.MOST_ROWS:,} rows and "
            f"{rows.MOST_BYTES // 1024 // 1024} MB. Rows that are here are replaced."
        ),
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )
    field_order = ("name", "description", "file")

    def clean_file(self) -> Table | None:
        uploaded: UploadedFile | None = self.cleaned_data["file"]
        if uploaded is None:
            if self._tool is None:
                raise forms.ValidationError("Choose a file.")
            return None
        if uploaded.size is None or uploaded.size > rows.MOST_BYTES:
            raise forms.ValidationError(f"Give at most {rows.MOST_BYTES // 1024 // 1024} MB.")
        try:
            return rows.parse(uploaded.read())
        except RowsRefused as fault:
            raise forms.ValidationError(str(fault)) from None

    def table(self) -> Table | None:
        found: Table | None = self.cleaned_data["file"]
        return found

    def sample(self) -> str:
        return json.dumps({"query": ""})


FORMS: dict[ToolKind, type[ToolForm]] = {
    ToolKind.BUILT_IN: BuiltInForm,
    ToolKind.HTTPS: HttpsForm,
    ToolKind.MOCK: MockForm,
    ToolKind.ROWS: RowsForm,
}


def _line(case: dict[str, Any]) -> str:
    return f"{json.dumps(case['arguments'], ensure_ascii=False)} => {case['result']}"


def _case(number: int, line: str) -> dict[str, Any]:
    written, arrow, result = line.partition("=>")
    try:
        arguments = json.loads(written)
    except ValueError:
        arguments = None
    if not arrow or not isinstance(arguments, dict):
        raise forms.ValidationError(f'Line {number} is not like {{"city": "Paris"}} => 19 °C.')
    return {"arguments": arguments, "result": result.strip()}
