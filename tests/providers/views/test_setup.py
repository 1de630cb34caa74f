from __future__ import annotations

import pytest
from django.test import Client

from providers.models import Budget, Provider, Route, User
from providers.people import accounts
from tests.providers.people.conftest import PASSWORD, World
from tests.providers.views.conftest import As

OWNER = {"email": "ada@example.com", "password": PASSWORD}


@pytest.mark.django_db
def test_the_wizard_leads_from_the_link_to_a_written_prompt():
    client = Client()
    link = accounts.setup_link() or ""

    account = client.post(link, OWNER)
    provider = client.post(account.url, {"vendor": "demo"})
    budget = client.post(provider.url, {"limit": "20", "is_hard": "on"})

    assert (account.url, provider.url) == ("/setup/provider/", "/setup/budget/")
    assert budget.url == "/playground/?model=demo"
    limit = Budget.objects.get()
    assert (limit.limit_nano, limit.period, limit.is_hard) == (20 * 10**9, "month", True)


@pytest.mark.django_db
def test_every_step_after_the_account_can_be_skipped():
    client = Client()
    client.post(accounts.setup_link() or "", OWNER)

    assert b'href="/setup/budget/"' in client.get("/setup/provider/").content
    assert b"Start without a limit" in client.get("/setup/budget/").content


@pytest.mark.django_db
def test_a_refused_account_keeps_the_address_and_ties_the_fault_to_its_field():
    answer = Client().post(accounts.setup_link() or "", {**OWNER, "password": "short"})
    page = answer.content.decode()

    assert answer.status_code == 422
    assert 'value="ada@example.com"' in page
    assert 'id="id_password_error"' in page
    assert 'aria-invalid="true"' in page
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/setup/guessed/", "/invitation/guessed/"])
def test_a_guessed_link_says_what_to_do(path: str):
    answer = Client().get(path)

    assert answer.status_code == 404
    assert b"This link does not work" in answer.content


@pytest.mark.parametrize(
    ("vendor", "prefix", "kind", "route"),
    [
        ("anthropic", "sk-ant-", "anthropic_messages", "claude-haiku-4-5"),
        ("gemini", "AIza", "gemini", "gemini-2.5-flash"),
        ("openai_responses", "sk-", "openai_responses", "gpt-5-mini"),
    ],
)
def test_a_key_makes_a_provider_and_a_route_of_the_models_name(
    world: World, as_user: As, vendor: str, prefix: str, kind: str, route: str
):
    as_user(world.ada).post("/setup/provider/", {"vendor": vendor, "key": prefix + "x" * 40})

    assert Provider.objects.get().kind == kind
    assert Provider.objects.get().credentials.get().hint == "xxxx"
    assert Route.objects.get().name == route


def test_a_server_of_ones_own_is_named_after_its_host(world: World, as_user: As):
    values = {"vendor": "compatible", "base_url": "https://api.groq.com/openai/v1", "key": "gsk_1"}
    as_user(world.ada).post("/setup/provider/", {**values, "model": "llama"})

    assert Provider.objects.get().name == "groq"


def test_a_missing_key_is_said_and_nothing_is_saved(world: World, as_user: As):
    answer = as_user(world.ada).post("/setup/provider/", {"vendor": "openai"})

    assert answer.status_code == 422
    assert b"needs a key" in answer.content
    assert not Provider.objects.exists()
