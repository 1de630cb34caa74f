"""`provider add`, `route add`, `key issue`: for scripts, safe to repeat, errors with a way out."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from providers import catalog
from providers.models import (
    Credential,
    Membership,
    Price,
    Provider,
    Route,
    Team,
    User,
    VirtualKey,
)

pytestmark = pytest.mark.django_db


def run(*words: str) -> Any:
    out = StringIO()
    call_command(*words, "--json", stdout=out)
    return json.loads(out.getvalue())


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", "sk-acme-canary")
    run(
        *["provider", "add", "acme", "--kind", "openai_chat", "--base-url", "https://acme.test/v1"],
        "--key-env",
        "ACME_KEY",
    )


def test_a_provider_is_added_with_the_key_of_a_variable(acme: None) -> None:
    told = run(*[
        "provider",
        "add",
        "acme",
        "--kind",
        "openai_chat",
        "--base-url",
        "https://acme.test/v1",
    ])
    assert told == {
        "provider": "acme",
        "kind": "openai_chat",
        "base_url": "https://acme.test/v1",
        "local": False,
        "route": None,
    }
    assert Provider.objects.count() == Credential.objects.count() == 1


def test_a_vendor_is_named_instead_of_its_wire_and_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GROQ_KEY", "gsk_canary")
    told = run("provider", "add", "fast", "--kind", "groq", "--key-env", "GROQ_KEY")
    assert told["base_url"] == "https://api.groq.com/openai/v1"
    provider = Provider.objects.get()
    assert (provider.kind, provider.preset, provider.base_url) == ("openai_chat", "groq", "")


def test_a_server_of_ones_own_needs_neither_address_nor_key_nor_flag() -> None:
    told = run("provider", "add", "mine", "--kind", "vllm")
    assert (told["base_url"], told["local"]) == ("http://localhost:8000/v1", True)


def test_the_demo_provider_brings_its_route() -> None:
    assert run("provider", "add", "demo", "--kind", "demo")["route"] == "demo"
    assert run("provider", "add", "demo", "--kind", "demo")["route"] == "demo"
    assert Route.objects.count() == 1


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ("provider add x --kind openai_chat", "--key-env: A provider of kind openai_chat needs"),
        ("provider add x --kind openai_chat --key-env NOT_SET", "--key-env: NOT_SET is not set"),
        ("provider add x --kind openai_chat --base-url http://h", "--base-url: .*--?local|local"),
        ("provider add X! --kind demo", "NAME: "),
        ("provider add x --kind pigeon", "--kind: invalid choice"),
        ("route add r --to nobody/m", "--to: .*manage.py provider add nobody"),
        ("route add r --to acme", "--to: "),
        ("route add r --to acme/m --input-price 1", "--output-price: give both"),
        ("route add r --to acme/m --input-price x --output-price 1", "--input-price: 'x'"),
        ("route add r --to acme/m --max-output 0", "--max-output: "),
        ("route add r --to acme/m --weights 1,2", "--weights: Give 1 weights"),
        ("route add r --to acme/m --weights x", "--weights: 'x'"),
        ("route add r --to acme/m --lacks sight", "--lacks: .*tools, vision"),
        ("route add r --to acme/m --idle-timeout-s 0.001", "--idle-timeout-s: "),
        ("route add", "PUBLIC"),
        ("key issue --user nobody@x.org --name n", "--user: .*manage.py member add"),
        ("key issue --user ben@example.org --name n --team nowhere", "--team: .*builders"),
    ],
)
def test_an_error_names_the_argument_and_the_way_out(
    acme: None, ben: User, words: str, error: str
) -> None:
    with pytest.raises(CommandError, match=error):
        run(*words.split())


def test_a_route_is_added_with_prices_and_repeating_changes_nothing(acme: None) -> None:
    words = "route add gpt --to acme/one --to acme/two --input-price 2.5 --output-price 10"
    told = run(*words.split(), "--max-output", "100")
    assert told == {"route": "gpt", "to": ["acme/one", "acme/two"], "unpriced": []}
    assert run(*words.split(), "--max-output", "100") == told
    assert Price.objects.count() == 2


def test_a_route_without_a_price_is_told(acme: None) -> None:
    assert run(*["route", "add", "gpt", "--to", "acme/unheard-of"])["unpriced"] == [
        "acme/unheard-of"
    ]


def test_a_key_is_shown_once_and_rotated_on_demand(ben: User, team: Team) -> None:
    words = f"key issue --user {ben.email} --name laptop".split()
    told = run(*words)
    assert told["key"].startswith(told["prefix"])
    assert told["team"] == team.slug
    with pytest.raises(CommandError, match=r"--name: .*--rotate"):
        run(*words)
    assert run(*words, "--rotate")["key"] != told["key"]
    assert VirtualKey.objects.filter(revoked_at=None).count() == 1


def test_a_key_is_bound_to_routes_and_ends(acme: None, ben: User, team: Team) -> None:
    run("route", "add", "gpt", "--to", "acme/m")
    words = f"key issue --user {ben.email} --name laptop".split()
    told = run(*words, "--routes", "gpt", "--expires", "30d")
    assert told["routes"] == ["gpt"]
    assert told["expires_at"] is not None
    again = run(*words, "--rotate", "--expires", "never")
    assert (again["routes"], again["expires_at"]) == (["gpt"], None)
    assert run(*words, "--rotate", "--routes", "all")["routes"] == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--routes nowhere", "--routes: There is no route 'nowhere'"),
        ("--routes ,", "--routes: name one at least"),
        ("--expires soon", "--expires: 'soon' is not like"),
        ("--expires 2020-01-01", "--expires: 2020-01-01 has begun already"),
    ],
)
def test_terms_of_a_key_that_make_no_sense_are_named(
    ben: User, team: Team, words: str, says: str
) -> None:
    with pytest.raises(CommandError, match=says):
        run(*f"key issue --user {ben.email} --name laptop".split(), *words.split())


def test_a_key_without_a_team_says_which_there_are(ben: User, cleo: User) -> None:
    words = f"key issue --user {ben.email} --name laptop".split()
    User.objects.update(active_team=None)
    Membership.objects.create(team=cleo.memberships.get().team, user=ben)
    with pytest.raises(CommandError, match=r"--team: .*one of builders, strangers"):
        run(*words)
    Membership.objects.filter(user=ben).delete()
    with pytest.raises(CommandError, match=r"--team: .*member add --email ben@example.org --team"):
        run(*words)


def test_words_are_for_people_and_json_for_scripts(ben: User) -> None:
    out = StringIO()
    call_command("key", "issue", "--user", ben.email, "--name", "laptop", stdout=out)
    secret, words = out.getvalue().strip().split("\n")
    assert secret.startswith("gai_")
    assert "shown once" in words


def test_no_secret_is_told_back(acme: None, capsys: pytest.CaptureFixture[str]) -> None:
    told = run(*[
        "provider",
        "add",
        "acme",
        "--kind",
        "openai_chat",
        "--base-url",
        "https://acme.test/v1",
    ])
    assert "canary" not in json.dumps(told) + str(capsys.readouterr())


def test_a_route_is_added_with_weights_limits_and_abilities(acme: None) -> None:
    words = "route add gpt --to acme/one --to acme/two --weights 3,- --lacks vision,audio"
    run(*words.split(), "--context-tokens", "8000", "--first-token-timeout-s", "2.5")
    route = Route.objects.get()
    assert list(route.targets.values_list("weight", flat=True)) == [3, None]
    deployment = route.targets.first().deployment  # type: ignore[union-attr]
    assert deployment.lacks == ["audio", "vision"]
    assert (deployment.context_tokens, deployment.first_token_timeout_s) == (8000, 2.5)
    run("route", "add", "gpt", "--to", "acme/one", "--context-tokens", "0")
    deployment.refresh_from_db()
    assert (deployment.context_tokens, deployment.first_token_timeout_s) == (None, 2.5)


def test_a_price_is_set_once_shown_and_planned() -> None:
    catalog.add_provider(
        name="own", kind="openai_chat", base_url="http://127.0.0.1:9/v1", is_local=True, secret="x"
    )
    catalog.add_route(name="house", targets=["own/llama"])
    assert run("price", "show")["prices"][0]["version"] is None
    words = ["price", "set", "own/llama", "--input", "1.5", "--output", "2", "--source", "Bill 7"]
    first, again = run(*words), run(*words)
    assert first == again
    assert run("price", "show")["prices"][0]["input_usd"] == "1.5"
    planned = run(*words, "--from", "2999-01-01", "--cache-read", "0.1")
    assert planned["from"] == "2999-01-01T00:00:00+00:00"
    assert run("price", "show")["prices"][0]["input_usd"] == "1.5"
    for wrong, named in (
        (["--input", "x"], "--input"),
        (["--from", "soon"], "--from"),
        (["--until", "2020-01-01"], "--until"),
        (["--source", " "], "--source"),
    ):
        with pytest.raises(CommandError, match=named):
            run(*words, *wrong)
    with pytest.raises(CommandError, match="MODEL"):
        run("price", "set", "own/other", *words[3:])
