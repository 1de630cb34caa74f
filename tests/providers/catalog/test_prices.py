from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from providers.catalog.prices import price_of, published
from providers.engine.usage import Usage
from providers.models import Deployment, Price, Provider

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def deployment(kind: str = "openai_chat", url: str = "", model: str = "gpt-4o-mini") -> Deployment:
    provider = Provider.objects.create(name=f"p{Provider.objects.count()}", kind=kind, base_url=url)
    return Deployment.objects.create(provider=provider, model=model)


@pytest.mark.django_db
def test_the_operators_newest_price_whose_time_has_come_wins() -> None:
    row = deployment()
    for days, dollars in ((-20, 1), (-10, 2), (10, 3)):
        Price.objects.create(
            deployment=row,
            input_usd=dollars,
            output_usd=dollars,
            effective_from=NOW + timedelta(days=days),
        )
    price = price_of(row, NOW)
    assert price is not None
    assert price.input == 2
    assert price.version.startswith("operator 2026-10-22 #")


@pytest.mark.django_db
def test_the_demo_is_free_and_says_so() -> None:
    price = price_of(deployment("demo", model="demo"))
    assert price is not None
    assert (price.input, price.output, price.version) == (0, 0, "demo")


@pytest.mark.django_db
def test_a_model_that_nobody_knows_has_no_price() -> None:
    assert price_of(deployment(model="our-own-model")) is None


def test_the_published_price_names_its_source() -> None:
    price = published("openai_chat", "https://api.openai.com/v1", "gpt-4o-mini", NOW)
    assert price is not None
    assert (price.input, price.output) == (Decimal("0.15"), Decimal("0.6"))
    assert price.cache_read == Decimal("0.075")
    assert price.version.startswith("genai-prices ")
    assert price.version.endswith(" openai/gpt-4o-mini")
    assert price == published("openai_chat", "", "gpt-4o-mini", NOW)


def test_gemini_on_its_own_wire_has_googles_price() -> None:
    price = published("gemini", "", "gemini-2.5-flash", NOW)
    assert price is not None
    assert price.version.endswith(" google/gemini-2.5-flash")
    google = "https://generativelanguage.googleapis.com/v1beta"
    assert price == published("gemini", google, "gemini-2.5-flash", NOW)


def test_the_base_url_decides_whose_price_it_is() -> None:
    groq = published("openai_chat", "https://api.groq.com/openai/v1", "llama-3.1-8b-instant", NOW)
    assert groq is not None
    assert "groq/" in groq.version
    assert published("openai_chat", "http://127.0.0.1:11434/v1", "gpt-4o-mini", NOW) is None
    assert published("unknown_wire", "", "gpt-4o-mini", NOW) is None


def test_beyond_a_context_length_the_dearer_tier_holds_for_all_tokens() -> None:
    price = published("anthropic_messages", "", "claude-sonnet-4-5", NOW)
    assert price is not None
    assert price.cost_nano(Usage(200_000, 0)) == 600_000_000
    assert price.cost_nano(Usage(200_001, 0)) == 200_001 * 6000
    assert price.worst_case_nano(200_000, 10) < price.worst_case_nano(200_001, 10)
    assert price.worst_case_nano(200_001, 10) >= price.cost_nano(Usage(200_001, 10))


def test_published_prices_fill_the_hours_cache_write_audio_and_searches() -> None:
    claude = published("anthropic_messages", "", "claude-sonnet-4-5", NOW)
    assert claude is not None
    assert (claude.cache_write, claude.cache_write_1h) == (Decimal("3.75"), Decimal(6))
    assert claude.web_search == 10
    dearer = claude.tiers[0][1]
    assert dearer.cache_write_1h == 12
    audio = published("openai_chat", "", "gpt-audio", NOW)
    assert audio is not None
    assert (audio.input_audio, audio.output_audio) == (Decimal(32), Decimal(64))
