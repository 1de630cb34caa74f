"""Who may read `/metrics`."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pydantic import SecretStr

pytestmark = pytest.mark.django_db
TOKEN = "a-token-that-is-long-enough"
FAR = {"REMOTE_ADDR": "203.0.113.9"}


@pytest.fixture
def with_token(settings: Any) -> None:
    config = django_settings.GAIWEB
    settings.GAIWEB = config.with_values("environment", metrics_token=SecretStr(TOKEN))


def test_this_machine_may(client: Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert b"django_http_requests" in answer.content


def test_another_machine_may_not(client: Client) -> None:
    assert client.get("/metrics", **FAR).status_code == 403


def test_a_proxy_on_this_machine_does_not_open_it_to_the_world(client: Client) -> None:
    assert client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 403


def test_the_token_opens_it_from_anywhere(client: Client, with_token: None) -> None:
    right = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, **FAR)
    wrong = client.get("/metrics", headers={"Authorization": "Bearer nonsense"}, **FAR)
    assert (right.status_code, wrong.status_code) == (200, 403)


def test_no_token_configured_means_an_empty_one_opens_nothing(client: Client) -> None:
    assert client.get("/metrics", headers={"Authorization": "Bearer "}, **FAR).status_code == 403
