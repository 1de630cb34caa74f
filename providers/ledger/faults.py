"""Why a budget or a quota cannot be as it was wished."""

from __future__ import annotations


class InvalidBudget(ValueError):
    """`field` is what to correct: scope, limit, period, time_zone and so on."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message
