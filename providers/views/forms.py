"""What forms of pages have in common: faults beside their field, and the way on after saving."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url


class PageForm(forms.Form):
    """Keeps the input, and puts the cursor on the first fault."""

    def refuse(self, field: str, message: str) -> None:
        """Show a fault of a verb beside its field, or above the form when it has no such field."""
        self.add_error(field if field in self.fields else None, message)

    def focus_first_fault(self) -> None:
        for widget in (field.widget for field in self.fields.values()):
            widget.attrs.pop("autofocus", None)
        faulty = next((name for name in self.fields if name in self.errors), None)
        if faulty:
            self.fields[faulty].widget.attrs["autofocus"] = True

    @property
    def status(self) -> int:
        """Of the answer that shows this form again."""
        if not self.errors:
            return 200
        self.focus_first_fault()
        return 422


def go_on(request: HttpRequest, to: str, words: str = "", *arguments: Any) -> HttpResponse:
    """Take the browser to the next page, which says `words`; fragments' requests too."""
    if words:
        messages.success(request, words)
    url = resolve_url(to, *arguments)
    if request.headers.get("HX-Request") == "true":
        return HttpResponse(status=200, headers={"HX-Redirect": url})
    return redirect(url)


def say_refused(request: HttpRequest, to: str, words: str) -> HttpResponse:
    """Go back to a list that says why nothing was done."""
    messages.error(request, words)
    return go_on(request, to)
