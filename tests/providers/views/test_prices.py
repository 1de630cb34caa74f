from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from providers import catalog
from providers.catalog.prices import price_of
from providers.models import AuditEntry, Deployment, Price
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

PAGE = "/settings/prices/"


@pytest.fixture
def otto(world: World, as_user: As) -> Client:
    catalog.add_provider(name="demo", kind="demo")
    catalog.add_provider(name="openai", kind="openai_chat", secret="sk-" + "x" * 40)
    catalog.add_provider(
        name="own", kind="openai_chat", base_url="http://127.0.0.1:9/v1", is_local=True, secret="x"
    )
    catalog.add_route(name="fast", targets=["openai/gpt-4o-mini", "demo/demo"])
    catalog.add_route(name="house", targets=["own/llama"])
    return as_user(world.otto)


def model(name: str) -> Deployment:
    return Deployment.objects.get(model=name)


def sent(**more: Any) -> dict[str, Any]:
    return {"input": "0.1", "output": "20", "source": "Contract", **more}


def words(client: Client, path: str = PAGE) -> str:
    return " ".join(client.get(path).content.decode().split())


def test_each_model_in_use_has_its_price_and_who_says_so(otto: Client):
    page = words(otto)
    assert "openai/gpt-4o-mini" in page
    assert "<strong>$0.15</strong> in" in page
    assert "Published, as genai-prices 0.2.3 has it" in page
    assert "Nothing is billed" in page


def test_a_model_without_a_price_stands_first_with_what_that_means(otto: Client):
    page = words(otto)
    assert page.index("Without a price") < page.index("gpt-4o-mini")
    assert "where a hard budget applies they are refused" in page
    assert "Add a price of own/llama" in page
    otto.post(f"{PAGE}{model('llama').pk}/", sent())
    assert "Without a price" not in words(otto)


def test_a_price_of_ones_own_wins_and_is_audited(otto: Client, world: World):
    path = f"{PAGE}{model('gpt-4o-mini').pk}/"
    page = otto.post(path, sent(cache_read="0.05"), follow=True).content.decode()
    assert "The price of openai/gpt-4o-mini holds." in page
    price = price_of(model("gpt-4o-mini"))
    assert price is not None
    assert (price.input, price.output, price.cache_read, price.cache_write) == (
        Decimal("0.1"),
        Decimal(20),
        Decimal("0.05"),
        None,
    )
    entry = AuditEntry.objects.get(action="price.set")
    assert (entry.target, entry.after["source"]) == ("openai/gpt-4o-mini", "Contract")
    assert f"by {world.otto.email}" in words(otto, path)
    # The same again changes nothing.
    otto.post(path, sent(cache_read="0.05"))
    assert Price.objects.count() == 1


def test_a_planned_price_holds_from_its_moment_to_its_end_and_stays_in_the_history(otto: Client):
    path = f"{PAGE}{model('gpt-4o-mini').pk}/"
    begins = timezone.now().replace(second=0, microsecond=0) + timedelta(days=2)
    ends = begins + timedelta(days=5)
    form = sent(begins=f"{begins:%Y-%m-%dT%H:%M}", until=f"{ends:%Y-%m-%dT%H:%M}")
    page = otto.post(path, form, follow=True).content.decode()
    assert "Change planned" in page
    assert "UTC: $0.10 in, $20.00 out." in page

    def input_at(moment: Any) -> Any:
        price = price_of(model("gpt-4o-mini"), moment)
        return price and f"{price.input.normalize():f}"

    moments = [begins - timedelta(seconds=1), begins, ends - timedelta(seconds=1), ends]
    assert [input_at(moment) for moment in moments] == ["0.15", "0.1", "0.1", "0.15"]
    assert "Planned" in words(otto, path)
    otto.post(f"{PAGE}end/{Price.objects.get().pk}/")
    assert [input_at(moment) for moment in moments] == ["0.15"] * 4
    assert "Ended" in words(otto, path)
    assert AuditEntry.objects.filter(action="price.ended").count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("input", ""), ("output", "-1"), ("source", " "), ("until", "2020-01-01"), ("begins", "x")],
)
def test_nonsense_is_refused_at_its_field(otto: Client, field: str, value: str):
    page = otto.post(f"{PAGE}{model('llama').pk}/", sent(**{field: value}))
    assert page.status_code == 422
    assert f'id="id_{field}_error"' in page.content.decode()
    assert not Price.objects.exists()


def test_a_member_sees_no_prices(otto: Client, world: World, as_user: As):
    assert as_user(world.mia).get(PAGE).status_code in {403, 404}
