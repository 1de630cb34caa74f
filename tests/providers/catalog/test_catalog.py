"""Providers, routes and prices, as pages and commands make them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from providers import catalog
from providers.catalog import snapshot
from providers.engine.routes import Ability
from providers.models import Credential, Deployment, Price, Provider, Route

pytestmark = pytest.mark.django_db


def a_provider(name: str = "acme", **fields: Any) -> Provider:
    defaults: dict[str, Any] = {
        "kind": "openai_chat",
        "base_url": "https://api.acme.test/v1",
        "secret": "sk-acme",
    }
    return catalog.add_provider(name=name, **{**defaults, **fields})


def no_limits(_: Deployment) -> dict[str, Any]:
    return {}


def test_adding_a_provider_twice_changes_nothing() -> None:
    assert a_provider() == a_provider()
    assert Provider.objects.count() == Credential.objects.count() == 1


def test_the_stored_key_stays_when_none_is_given() -> None:
    a_provider()
    a_provider(secret=None)
    assert Credential.objects.count() == 1


def test_the_stored_key_never_follows_to_another_address() -> None:
    a_provider()
    with pytest.raises(catalog.CatalogError) as refused:
        a_provider(base_url="https://evil.test/v1", secret=None)
    assert refused.value.field == "key"
    assert Provider.objects.get().base_url == "https://api.acme.test/v1"
    a_provider(base_url="https://new.acme.test/v1", secret="sk-new")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "Not A Slug"}, "name"),
        ({"kind": "carrier_pigeon"}, "kind"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "https://user:pw@host"}, "base_url"),
        ({"base_url": "https://host?key=1"}, "base_url"),
        ({"base_url": "http://host"}, "base_url"),
        ({"base_url": "https://host:port"}, "base_url"),
        ({"secret": None}, "key"),
        ({"secret": "  "}, "key"),
    ],
)
def test_a_refusal_names_its_argument_and_leaves_nothing(
    fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(catalog.CatalogError) as refused:
        a_provider(**fields)
    assert refused.value.field == field
    assert not Provider.objects.exists()


def test_a_local_provider_needs_no_key_and_no_tls() -> None:
    a_provider(base_url="http://127.0.0.1:11434/v1", is_local=True, secret=None)


def test_a_provider_of_the_environment_is_not_edited() -> None:
    Provider.objects.create(name="openai", kind="openai_chat", from_environment=True)
    with pytest.raises(catalog.CatalogError, match="environment"):
        a_provider("openai")
    with pytest.raises(catalog.CatalogError, match="environment"):
        catalog.remove_provider(Provider.objects.get())


def test_a_route_keeps_the_order_of_its_targets() -> None:
    a_provider("one")
    a_provider("two")
    catalog.add_route(name="gpt", targets=["two/m", "one/vendor/m"])
    catalog.add_route(name="gpt", targets=["two/m", "one/vendor/m"])
    route = snapshot.read(no_limits).routes["gpt"]
    assert [each.name for each in route.deployments] == ["two/m", "one/vendor/m"]
    catalog.add_route(name="gpt", targets=["one/vendor/m"])
    assert len(snapshot.read(no_limits).routes["gpt"].deployments) == 1


def test_a_repeated_price_adds_no_row() -> None:
    a_provider()
    price = catalog.OwnPrice(Decimal("2.50"), Decimal(10))
    catalog.add_route(name="gpt", targets=["acme/m"], prices=price, max_output=100)
    catalog.add_route(name="gpt", targets=["acme/m"], prices=price, max_output=100)
    assert Price.objects.count() == 1
    deployment = snapshot.read(no_limits).routes["gpt"].deployments[0]
    assert deployment.price is not None
    assert deployment.price.output == 10
    assert deployment.max_output_tokens == 100


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "with space"}, "name"),
        ({"targets": ["acme"]}, "to"),
        ({"targets": ["nobody/m"]}, "to"),
        ({"targets": ["acme/m\r\nx-evil: 1"]}, "to"),
        ({"targets": ["acme/m", "acme/m"]}, "to"),
        ({"targets": []}, "to"),
        ({"max_output": 0}, "max_output"),
        ({"prices": catalog.OwnPrice(Decimal(-1), Decimal(1))}, "input_price"),
        ({"prices": catalog.OwnPrice(Decimal(1), Decimal("NaN"))}, "output_price"),
    ],
)
def test_a_refused_route_leaves_nothing(fields: dict[str, Any], field: str) -> None:
    a_provider()
    with pytest.raises(catalog.CatalogError) as refused:
        catalog.add_route(**{"name": "gpt", "targets": ["acme/m"], **fields})
    assert refused.value.field == field
    assert not Route.objects.exists()


def test_what_is_switched_off_cannot_be_called() -> None:
    a_provider("one")
    two = a_provider("two")
    catalog.add_route(name="both", targets=["two/m", "one/m"])
    catalog.add_route(name="only", targets=["two/m"])
    Provider.objects.filter(pk=two.pk).update(is_enabled=False)
    found = snapshot.read(no_limits)
    assert [each.name for each in found.routes["both"].deployments] == ["one/m"]
    assert "only" not in found.routes
    assert [info.name for info in found.infos] == ["both"]


def test_a_route_without_a_known_price_says_so() -> None:
    a_provider()
    catalog.add_route(name="gpt", targets=["acme/unheard-of"])
    assert not snapshot.read(no_limits).infos[0].is_priced


def test_the_demo_provider_comes_with_its_route() -> None:
    demo = catalog.add_provider(name="demo", kind="demo")
    assert catalog.lead_demo_route(demo) == catalog.lead_demo_route(demo)
    info = snapshot.read(no_limits).infos[0]
    assert (info.name, info.kind, info.is_priced) == ("demo", "demo", True)


def test_the_quirks_of_a_preset_reach_its_deployments_at_any_address() -> None:
    catalog.add_provider(
        name="m", kind="mistral", base_url="https://proxy.example/v1", secret="sk-1"
    )
    catalog.add_route(name="small", targets=["m/mistral-small-latest"])
    (deployment,) = (
        snapshot.read(lambda row: {"options": {"organization": "o"}}).routes["small"].deployments
    )
    assert deployment.base_url == "https://proxy.example/v1"
    assert deployment.options["stream_options"] == "off"
    assert deployment.options["organization"] == "o"


def test_a_provider_made_before_there_were_presets_gets_its_vendors_quirks() -> None:
    provider = catalog.add_provider(name="openai", kind="openai_chat", secret="sk-1")
    assert provider.preset == ""
    catalog.add_route(name="gpt", targets=["openai/gpt-4o-mini"])
    (deployment,) = snapshot.read(lambda row: {}).routes["gpt"].deployments
    assert deployment.base_url == "https://api.openai.com/v1"
    assert deployment.options["developer_role"] == "on"
    assert deployment.price is not None


def test_a_stored_key_never_follows_to_another_vendor() -> None:
    catalog.add_provider(name="x", kind="openai", secret="sk-1")
    with pytest.raises(catalog.CatalogError, match="old address"):
        catalog.add_provider(name="x", kind="groq")


def test_the_price_is_the_vendors_whose_preset_it_is() -> None:
    catalog.add_provider(name="x", kind="groq", secret="sk-1")
    catalog.add_route(name="fast", targets=["x/llama-3.1-8b-instant"])
    (deployment,) = snapshot.read(lambda row: {}).routes["fast"].deployments
    assert deployment.price is not None
    assert "groq/" in deployment.price.version


def test_what_a_vendor_lacks_is_known_before_it_is_asked() -> None:
    catalog.add_provider(name="claude", kind="anthropic", secret="sk-1")
    catalog.add_route(name="c", targets=["claude/claude-haiku-4-5"])
    (deployment,) = snapshot.read(lambda row: {}).routes["c"].deployments
    assert deployment.lacks == {Ability.AUDIO}
