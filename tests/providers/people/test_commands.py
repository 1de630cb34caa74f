from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from providers.models import User

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OWNER_PASSWORD", "correct horse battery")


def bootstrap(*more: str) -> str:
    return run(
        "bootstrap", "--email", "ada@example.com", "--password-env", "OWNER_PASSWORD",
        "--team", "Search", *more,
    )  # fmt: skip


def test_bootstrap_answers_in_json_and_may_be_repeated():
    first, second = json.loads(bootstrap("--json")), json.loads(bootstrap("--json"))

    assert first == {
        "email": "ada@example.com", "role": "owner", "team": "search", "created": True,
    }  # fmt: skip
    assert second == {**first, "created": False}


def test_bootstrap_never_prints_the_password():
    assert "battery" not in bootstrap() + bootstrap()


def test_bootstrap_says_which_variable_is_empty(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OWNER_PASSWORD")
    with pytest.raises(CommandError, match="--password-env: the variable OWNER_PASSWORD is empty"):
        bootstrap()


def test_bootstrap_names_the_argument_of_a_weak_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OWNER_PASSWORD", "short")
    with pytest.raises(CommandError, match="--password-env: This password is too short"):
        bootstrap()


def test_member_add_prints_a_link_while_there_is_no_password():
    bootstrap()
    add = ("member", "add", "--email", "mia@example.com", "--team", "Search", "--role", "member")
    first, second = json.loads(run(*add, "--json")), json.loads(run(*add, "--json"))

    assert first["created"]
    assert not second["created"]
    assert "/invitation/" in first["invitation"]
    assert first["invitation"] != second["invitation"]
    User.objects.get(email="mia@example.com").set_password("x")


def test_member_add_names_the_argument_and_the_way_out():
    bootstrap()
    with pytest.raises(
        CommandError, match=r"--team: There is no team 'Sales'\. There are: 'Search'"
    ):
        run("member", "add", "--email", "mia@example.com", "--team", "Sales", "--role", "member")


def test_member_link_lets_an_owner_back_in_who_forgot_the_password():
    bootstrap()

    assert "/invitation/" in run("member", "link", "--email", "ada@example.com")
