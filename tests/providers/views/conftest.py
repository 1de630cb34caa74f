"""Pages are asked as a browser does: with a session, and forms without htmx."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from providers.models import User
from tests.providers.people.conftest import world

__all__ = ["world"]

As = Callable[[User], Client]


@pytest.fixture
def as_user() -> As:
    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        return client

    return sign_in
