"""Which fast route a reduced mode asks first: one that is there, and fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.catalog.snapshot import Catalog
from providers.engine.levels import FULL, Level
from providers.engine.policy import NONE as NO_POLICY
from providers.engine.routes import Deployment, Route
from providers.health.in_force import Caps, fast_route, in_force


def deployment(number: int, name: str) -> Deployment:
    provider, _, model = name.partition("/")
    return Deployment(
        id=number, provider=provider, kind="openai_chat", model=model, base_url="http://x"
    )


GROQ, LOCAL, SLOW = (
    deployment(number, name)
    for number, name in enumerate(["groq/llama-3.1-8b-instant", "box/tiny", "openai/gpt-5"], 1)
)
CATALOG = Catalog(
    routes={"fast": Route("fast", (GROQ, LOCAL)), "chat": Route("chat", (SLOW,))},
    infos=(),
    deployments={each.id: each for each in (GROQ, LOCAL, SLOW)},
)


@pytest.mark.parametrize(
    ("name", "unfit", "asked"),
    [
        ("fast", set(), ["groq/llama-3.1-8b-instant", "box/tiny"]),
        ("fast", {1}, ["box/tiny"]),
        ("fast", {1, 2}, None),
        ("groq/llama-3.1-8b-instant", {2}, ["groq/llama-3.1-8b-instant"]),
        ("groq/llama-3.1-8b-instant", {1}, None),
        ("groq", set(), None),
        ("", set(), None),
    ],
)
def test_what_does_badly_or_is_not_there_is_never_asked(
    name: str, unfit: set[int], asked: list[str] | None
) -> None:
    found = fast_route(name, CATALOG, unfit)
    assert (None if found is None else [each.name for each in found.deployments]) == asked
    assert found is None or found.name == name


def test_a_route_of_that_name_goes_before_a_deployment_of_it() -> None:
    routes = {**CATALOG.routes, "box/tiny": Route("box/tiny", (SLOW,))}
    found = fast_route("box/tiny", replace(CATALOG, routes=routes), set())
    assert found is not None
    assert found.deployments == (SLOW,)


def test_full_takes_nothing_and_each_level_has_its_own_cap() -> None:
    caps, fast = Caps(), CATALOG.routes["fast"]
    assert in_force(Level.FULL, 0.95, NO_POLICY, caps, fast) is FULL
    found = {
        level: in_force(level, 0.6, NO_POLICY, caps, fast)
        for level in (Level.SIMPLIFIED, Level.ESSENTIAL, Level.EMERGENCY)
    }
    assert [each.output_cap for each in found.values()] == [500, 200, None]
    assert all(each.fast is fast for each in found.values())


def test_a_teams_own_numbers_go_before_the_installations() -> None:
    policy = replace(NO_POLICY, simplified_tokens=80, fast_route="fast")
    caps = Caps(essential_tokens=90, fast_route="chat").of(policy)
    assert (caps.simplified_tokens, caps.essential_tokens, caps.fast_route) == (80, 90, "fast")
