"""What the catalog refuses, in words that name the argument and the way out."""

from __future__ import annotations


class CatalogError(Exception):
    """`field` is the argument at fault, as pages and commands name it."""

    def __init__(self, message: str, *, field: str) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
