"""Prices that counted are kept, whatever becomes of the library or the rows they came from."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.catalog import price_versions, snapshot
from providers.catalog.price_versions import _price, _rates
from providers.catalog.prices import published
from providers.engine.usage import Price, Usage
from providers.models import Deployment, PriceVersion, Provider
from providers.models import Price as PriceRow

RATE = st.decimals(0, 1000, places=6)
MAYBE = st.none() | RATE
COUNT = st.integers(0, 500_000)


@st.composite
def a_price(draw: st.DrawFn, tiers: int = 2) -> Price:
    classes = {
        name: draw(MAYBE)
        for name in (
            "cache_read",
            "cache_write",
            "cache_write_1h",
            "input_audio",
            "output_audio",
            "web_search",
        )
    }
    beyond = sorted(draw(st.sets(COUNT, max_size=tiers)))
    above = tuple((start, draw(a_price(tiers=0))) for start in beyond)
    return Price(draw(RATE), draw(RATE), "test", tiers=above, **classes)


@settings(max_examples=60, deadline=None)
@given(a_price(), st.tuples(*[COUNT] * 9))
def test_a_price_that_was_written_down_computes_the_same_cost(
    price: Price, counts: tuple[int, ...]
) -> None:
    usage = Usage(
        counts[0],
        counts[1],
        cache_read_tokens=counts[2],
        cache_write_tokens=counts[3],
        cache_write_1h_tokens=min(counts[3], counts[4]),
        reasoning_tokens=counts[5],
        input_audio_tokens=counts[6],
        output_audio_tokens=counts[7],
        web_searches=counts[8],
    )
    assert _price(_rates(price), "test").cost_nano(usage) == price.cost_nano(usage)


def test_rates_that_change_under_the_same_name_get_another_version() -> None:
    one, other = (
        price_versions.named(Price(Decimal(rate), Decimal(2), ""), "source 1", "acme/large")
        for rate in ("1", "1.5")
    )
    assert one.version != other.version
    assert {len(one.version), len(other.version)} == {len("source 1 123456789abc acme/large")}


@pytest.mark.django_db
def test_whatever_the_catalog_offers_is_written_down_before_it_is_used() -> None:
    openai = Provider.objects.create(name="openai", kind="openai_chat")
    Deployment.objects.create(provider=openai, model="gpt-4o-mini")
    own = Deployment.objects.create(provider=openai, model="our-own")
    PriceRow.objects.create(deployment=own, input_usd=Decimal("0.25"), output_usd=7)
    offered = snapshot.read(lambda _: {}).deployments.values()
    costs = {
        each.price.version: each.price.cost_nano(Usage(9, 9)) for each in offered if each.price
    }
    assert len(costs) == 2
    own.delete()
    kept = price_versions.find(costs)
    assert {version: price.cost_nano(Usage(9, 9)) for version, price in kept.items()} == costs
    snapshot.read(lambda _: {})
    assert PriceVersion.objects.count() == 2


def test_a_published_version_tells_library_rates_and_model() -> None:
    price = published("openai_chat", "", "gpt-4o-mini", datetime(2026, 11, 1, tzinfo=UTC))
    assert price is not None
    library, number, digest, model = price.version.split()
    assert (library, model) == ("genai-prices", "openai/gpt-4o-mini")
    assert (number.count("."), len(digest)) == (2, 12)
