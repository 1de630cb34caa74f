"""The people of the house, for tests of pages."""

from tests.providers.people.conftest import world

__all__ = ["world"]
