"""The health page, its polled part, and the state in the bar of every page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.test import Client

from providers import gateway
from tests.providers import spent
from tests.providers.people.conftest import World


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def get(world: World, name: str, url: str) -> str:
    client = Client()
    client.force_login(getattr(world, name))
    response = client.get(url)
    assert response.status_code == 200
    return response.content.decode()


def test_the_page_says_in_words_how_each_deployment_does(world: World):
    spent.deployment("openai/gpt-a")
    spent.deployment("groq/llama")
    spent.traffic(7)
    spent.entry(code="upstream_overloaded", http_status=529)

    text = get(world, "otto", "/health/")

    assert "87.5\u00a0%" in text
    assert "few samples" in text
    assert "overloaded (529)" in text
    assert "No traffic" in text


def test_an_empty_installation_has_an_empty_page_with_words(world: World):
    assert "No provider yet" in get(world, "otto", "/health/")


def test_the_polled_part_is_a_fragment(world: World):
    text = get(world, "otto", "/health/board/")

    assert "<html" not in text
    assert "Updated" in text


def test_names_are_escaped(world: World):
    spent.deployment("openai/<b>gpt</b>")

    assert "<b>gpt</b>" not in get(world, "otto", "/health/")


def test_everybody_sees_the_state_and_only_some_the_way_to_it(world: World):
    spent.deployment("openai/gpt-a")
    spent.traffic(30, code="upstream_timeout")

    assert 'href="/health/"' in get(world, "otto", "/health/pill/")
    seen = get(world, "mia", "/health/pill/")
    assert "Failing" in seen
    assert "href" not in seen


def test_the_bar_repeats_what_is_known_and_asks_nothing_itself(world: World):
    spent.deployment("openai/gpt-a")
    spent.traffic(30)

    assert "All good" not in get(world, "otto", "/costs/")
    get(world, "otto", "/health/pill/")
    assert "All good" in get(world, "otto", "/costs/")


def test_a_test_of_an_unknown_deployment_is_not_found(world: World):
    client = Client()
    client.force_login(world.otto)

    assert client.post("/health/test/0/").status_code == 404
    assert client.get("/health/test/0/").status_code == 405


def test_the_page_says_who_counts_and_a_banner_tells_that_redis_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    spent.deployment("openai/gpt-a")
    assert "set REDIS_URL to share them" in get(world, "otto", "/health/")
    for sharing, words in (
        (gateway.Sharing.SHARED, "shared by all processes through Redis"),
        (gateway.Sharing.AWAY, "Redis is away: breakers and limits are those"),
    ):
        monkeypatch.setattr(gateway, "sharing", lambda sharing=sharing: sharing)
        assert words in get(world, "otto", "/health/board/")
    banner = "Limits are counted per process while Redis is away"
    assert banner in get(world, "otto", "/costs/")
    assert banner not in get(world, "mia", "/costs/")
