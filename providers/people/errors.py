"""What can go wrong with people, in words for whoever typed it."""

from __future__ import annotations


class PeopleError(Exception):
    """`field` is the faulty input's name (`email`, `password`, `team`, `role`); empty: the whole.

    Pages show the message beside that field, commands name the argument.
    """

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.field = field
