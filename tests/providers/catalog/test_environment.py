"""Keys in the environment make read-only providers on the route `default`."""

from __future__ import annotations

from typing import Any

import pytest

from gaiweb import config
from providers import catalog
from providers.catalog import environment, snapshot
from providers.models import Credential, Provider

pytestmark = pytest.mark.django_db


@pytest.fixture
def environ(settings: Any) -> Any:
    def put(**variables: str) -> None:
        settings.GAIWEB = config.load({
            "GAIWEB_DATA_DIR": str(settings.GAIWEB.data_dir),
            **variables,
        })
        environment.sync()

    return put


def read() -> snapshot.Catalog:
    return snapshot.read(environment.limits_of)


def test_a_key_makes_a_provider_on_the_default_route(environ: Any) -> None:
    environ(OPENAI_API_KEY="sk-env", OPENAI_MODEL="gpt-4o-mini", OPENAI_MAX_RETRIES="2")
    (deployment,) = read().routes["default"].deployments
    assert deployment.name == "openai/gpt-4o-mini"
    assert deployment.price is not None
    assert (deployment.max_attempts, deployment.requests_per_second) == (2, 10.0)
    assert environment.secrets() == {"openai": "sk-env"}
    assert not Credential.objects.exists()


@pytest.mark.parametrize(
    ("variables", "name", "base_url"),
    [
        (
            {"GEMINI_API_KEY": "g"},
            "gemini/gemini-2.5-flash",
            "https://generativelanguage.googleapis.com/v1beta",
        ),
        (
            {"GEMINI_API_KEY": "g", "GEMINI_BASE_URL": "https://g.example/v1beta/openai/"},
            "gemini/gemini-2.5-flash",
            "https://g.example/v1beta",
        ),
        ({"OLLAMA_MODEL": "qwen3"}, "ollama/qwen3", "http://127.0.0.1:11434"),
        (
            {"OLLAMA_BASE_URL": "http://10.0.0.2:11434/v1"},
            "ollama/llama3.2",
            "http://10.0.0.2:11434",
        ),
    ],
)
def test_gemini_and_ollama_are_asked_on_their_own_wires_whichever_address_is_given(
    environ: Any, variables: dict[str, str], name: str, base_url: str
) -> None:
    environ(**variables)
    (deployment,) = read().routes["default"].deployments
    assert (deployment.kind, deployment.name) == (name.partition("/")[0], name)
    assert (deployment.base_url, deployment.is_local) == (base_url, name.startswith("ollama"))


def test_several_keys_stand_in_for_each_other_in_the_guides_order(environ: Any) -> None:
    environ(GROQ_API_KEY="g", ANTHROPIC_API_KEY="a", OPENAI_API_KEY="o")
    route = read().routes["default"]
    assert [each.provider for each in route.deployments] == ["openai", "anthropic", "groq"]


def test_a_removed_key_switches_its_provider_off(environ: Any) -> None:
    environ(OPENAI_API_KEY="o", GROQ_API_KEY="g")
    environ(GROQ_API_KEY="g")
    assert [each.provider for each in read().routes["default"].deployments] == ["groq"]
    environ()
    assert "default" not in read().routes


def test_nothing_is_written_when_nothing_differs(
    environ: Any, django_assert_max_num_queries: Any
) -> None:
    environ(OPENAI_API_KEY="o")
    before = list(Provider.objects.values_list())
    with django_assert_max_num_queries(12) as queries:
        environment.sync()
    assert not [q for q in queries.captured_queries if q["sql"].startswith(("INSERT", "UPDATE"))]
    assert list(Provider.objects.values_list()) == before


def test_an_operators_own_default_route_is_left_alone(environ: Any) -> None:
    catalog.add_provider(name="own", kind="openai_chat", secret="sk")
    catalog.add_route(name="default", targets=["own/m"])
    environ(OPENAI_API_KEY="o")
    assert [each.provider for each in read().routes["default"].deployments] == ["own"]


def test_an_operators_own_provider_keeps_its_name(environ: Any) -> None:
    catalog.add_provider(name="openai", kind="openai_chat", secret="sk")
    environ(OPENAI_API_KEY="o")
    assert not Provider.objects.get(name="openai").from_environment
