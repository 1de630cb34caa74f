from __future__ import annotations

import pytest

from providers import catalog
from providers.models import Price, Route
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As


@pytest.fixture
def demo(world: World) -> None:
    catalog.add_provider(name="demo", kind="demo")
    catalog.add_provider(name="openai", kind="openai_chat", secret="sk-" + "x" * 40)


def rows(*targets: dict[str, str], **more: str) -> dict[str, str]:
    typed = {f"t{n}-{name}": value for n, row in enumerate(targets) for name, value in row.items()}
    return {"rows": str(len(targets)), "do": "save", **typed, **more}


OPENAI = {"provider": "openai", "model": "gpt-4o-mini"}
DEMO = {"provider": "demo", "model": "demo"}


def targets(name: str) -> list[str]:
    rows = Route.objects.get(name=name).targets.order_by("position")
    return [f"{row.deployment.provider.name}/{row.deployment.model}" for row in rows]


def test_a_route_is_saved_with_its_targets_in_order(demo: None, world: World, as_user: As):
    as_user(world.otto).post("/settings/routes/new/", rows(OPENAI, DEMO, name="fast"))

    assert targets("fast") == ["openai/gpt-4o-mini", "demo/demo"]


def test_up_and_down_move_rows_and_save_nothing(demo: None, world: World, as_user: As):
    client = as_user(world.otto)
    page = client.post("/settings/routes/new/", rows(OPENAI, DEMO, name="fast", do="up-1"))
    text = page.content.decode()

    assert page.status_code == 200
    assert text.index('name="t0-model" value="demo"') < text.index('value="gpt-4o-mini"')
    assert 'value="fast"' in text
    assert not Route.objects.exists()


@pytest.mark.parametrize(("do", "left"), [("add", 3), ("drop-0", 1), ("down-9", 2), ("up-x", 2)])
def test_rows_are_added_and_dropped(demo: None, world: World, as_user: As, do: str, left: int):
    page = as_user(world.otto).post("/settings/routes/new/", rows(OPENAI, DEMO, do=do))

    assert f'name="rows" value="{left}"' in page.content.decode()


def test_each_target_has_its_own_price_and_longest_answer(demo: None, world: World, as_user: As):
    priced = {**OPENAI, "input_price": "0.1", "output_price": "20", "max_output": "100"}
    as_user(world.otto).post("/settings/routes/new/", rows(priced, DEMO, name="fast"))

    price = Price.objects.get()
    assert (str(price.input_usd), str(price.output_usd)) == ("0.100000", "20.000000")
    assert price.deployment.max_output_tokens == 100
    page = as_user(world.otto).get("/settings/routes/").content.decode()
    assert "$0.10 in, $20.00 out per M tokens (your price)" in page


def test_a_price_by_half_is_a_fault_of_its_row(demo: None, world: World, as_user: As):
    half = {**OPENAI, "input_price": "0.1"}
    page = as_user(world.otto).post("/settings/routes/new/", rows(DEMO, half, name="fast"))

    assert page.status_code == 422
    assert b'id="id_t1-output_price_error"' in page.content
    assert not Route.objects.exists()


def test_a_target_twice_is_a_fault_of_the_second_row(demo: None, world: World, as_user: As):
    page = as_user(world.otto).post("/settings/routes/new/", rows(DEMO, DEMO, name="fast"))

    assert page.status_code == 422
    assert b'id="id_t1-model_error"' in page.content


def test_a_missing_price_is_loud(demo: None, world: World, as_user: As):
    catalog.add_route(name="mystery", targets=["openai/never-heard-of"])
    client = as_user(world.otto)
    route = Route.objects.get()

    assert b"Price missing" in client.get("/settings/routes/").content
    assert b"Price missing" in client.get(f"/settings/routes/{route.pk}/").content


def test_an_edited_route_keeps_its_name(demo: None, world: World, as_user: As):
    route = catalog.add_route(name="fast", targets=["demo/demo"])
    as_user(world.otto).post(f"/settings/routes/{route.pk}/", rows(OPENAI, DEMO, name="other"))

    assert targets("fast") == ["openai/gpt-4o-mini", "demo/demo"]
    assert Route.objects.count() == 1


def test_weight_limits_timeouts_and_abilities_of_a_target_are_set_and_read_again(
    demo: None, world: World, as_user: As
):
    set_up = {
        **OPENAI,
        "weight": "3",
        "context_tokens": "64000",
        "tokens_per_minute": "90000",
        "first_token_timeout_s": "7.5",
        "lacks_vision": "on",
    }
    client = as_user(world.otto)
    client.post("/settings/routes/new/", rows(set_up, {**DEMO, "weight": "1"}, name="fast"))

    route = Route.objects.get(name="fast")
    target = route.targets.get(deployment__provider__name="openai")
    assert (target.weight, target.deployment.lacks) == (3, ["vision"])
    assert target.deployment.first_token_timeout_s == 7.5
    listed = client.get("/settings/routes/").content.decode()
    assert "first for 75&nbsp;%" in listed
    assert "no images · context, tokens: 64,000" in listed
    page = client.get(f"/settings/routes/{route.pk}/").content.decode()
    assert 'name="t0-tokens_per_minute" value="90000"' in page
    # An emptied field is the default again.
    client.post(f"/settings/routes/{route.pk}/", rows(OPENAI, DEMO))
    target = route.targets.get(deployment__provider__name="openai")
    assert target.weight is None
    assert (target.deployment.context_tokens, target.deployment.lacks) == (None, [])


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("max_attempts", "99", "from 1 to 10"),
        ("weight", "-1", "A weight is above 0"),
        ("context_tokens", "many", "Enter a whole number"),
    ],
)
def test_a_number_out_of_bounds_is_told_beside_its_row(
    demo: None, world: World, as_user: As, field: str, value: str, words: str
):
    page = as_user(world.otto).post(
        "/settings/routes/new/", rows({**OPENAI, field: value}, name="fast")
    )
    assert page.status_code == 422
    assert words in page.content.decode()
    assert '<details class="traits" open>' in page.content.decode() or field == "weight"
    assert not Route.objects.exists()
