"""What is told of a deployment reaches the engine: limits, timeouts, abilities, weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from providers import catalog
from providers.catalog import snapshot
from providers.catalog.traits import TRAITS, set_traits
from providers.engine.routes import Ability
from providers.engine.routes import Deployment as EngineDeployment
from providers.models import Deployment

pytestmark = pytest.mark.django_db


def configured(_: Deployment) -> Mapping[str, Any]:
    return {"idle_timeout_s": 60.0, "max_attempts": 3, "requests_per_second": None}


@pytest.fixture
def target() -> Deployment:
    catalog.add_provider(name="openai", kind="openai_chat", secret="sk-" + "x" * 40)
    catalog.add_route(name="gpt", targets=["openai/gpt-4o-mini"])
    return Deployment.objects.get()


def read() -> EngineDeployment:
    return snapshot.read(configured).routes["gpt"].deployments[0]


def test_an_operators_number_wins_over_the_configuration_and_empty_gives_it_back(
    target: Deployment,
) -> None:
    set_traits(target, {"idle_timeout_s": 5.0, "max_attempts": 1, "tokens_per_minute": 1000})
    found = read()
    assert (found.idle_timeout_s, found.max_attempts, found.tokens_per_minute) == (5.0, 1, 1000)
    set_traits(target, dict.fromkeys(TRAITS))
    assert (read().idle_timeout_s, read().max_attempts) == (60.0, 3)


def test_a_context_window_is_the_published_one_unless_an_operator_says_otherwise(
    target: Deployment,
) -> None:
    assert read().context_tokens == 128_000
    set_traits(target, {"context_tokens": 8000})
    assert read().context_tokens == 8000
    Deployment.objects.update(model="unheard-of", context_tokens=None)
    assert read().context_tokens is None


def test_what_a_model_lacks_reaches_the_engine_and_unknown_words_do_no_harm(
    target: Deployment,
) -> None:
    set_traits(target, {}, frozenset({Ability.TOOLS, Ability.VISION}))
    assert read().lacks == {Ability.TOOLS, Ability.VISION}
    Deployment.objects.update(lacks=["vision", "telepathy"])
    assert read().lacks == {Ability.VISION}


def test_every_number_has_its_bounds(target: Deployment) -> None:
    for name, trait in TRAITS.items():
        for value in (trait.least / 2 - 1, trait.most * 2):
            with pytest.raises(catalog.CatalogError) as refused:
                set_traits(target, {name: value})
            assert refused.value.field == name


def test_every_trait_is_a_field_of_the_row_and_of_the_engine() -> None:
    rows = {field.name for field in Deployment._meta.get_fields()}
    assert set(TRAITS) <= rows
    assert set(TRAITS) <= set(EngineDeployment.__dataclass_fields__)


def test_weights_reach_the_engine_and_stay_when_targets_are_said_again(target: Deployment) -> None:
    names = ["openai/gpt-4o-mini", "openai/gpt-4o"]
    catalog.add_route(name="gpt", targets=names, weights=[3, None])
    route = snapshot.read(configured).routes["gpt"]
    assert route.weights == {target.pk: 3}
    catalog.add_route(name="gpt", targets=list(reversed(names)))
    assert snapshot.read(configured).routes["gpt"].weights == {target.pk: 3}


@pytest.mark.parametrize("weights", [[1], [0, 1], [-1, 1], [float("inf"), 1]])
def test_weights_that_mean_nothing_are_refused(target: Deployment, weights: list[float]) -> None:
    with pytest.raises(catalog.CatalogError) as refused:
        catalog.add_route(
            name="gpt", targets=["openai/gpt-4o", "openai/gpt-4o-mini"], weights=weights
        )
    assert refused.value.field == "weights"
