"""The table of permissions, walked over every address, role and team."""

from __future__ import annotations

from itertools import product as product_of

import pytest
from django.db import transaction
from django.http import Http404, HttpResponse
from django.test import Client
from django.urls import path

from conversations.views.pages import owned
from gaiweb.urls import urlpatterns as product
from providers.models import User
from providers.people import permissions
from providers.people.permissions import Capability, capabilities, required
from providers.people.standing import standing_of_user
from tests.providers.people.addresses import SAMPLES, Address, a_thread, every_address
from tests.providers.people.conftest import World

METHODS = ("get", "post")
ROLES = ("vic", "mia", "ben", "otto", "ada")
OF_NO_TEAM = {"token", "provider_id", "route_id", "deployment_id"}
USES_THE_ENGINE = {
    "providers:provider_check",
    "conversations:playground",
    "conversations:thread",
    "conversations:retry",
    "conversations:events",
    "conversations:stop",
    "conversations:batches",
    "conversations:batch_new",
}
"""Who passes wakes the engine, which reads committed rows only: their journeys are elsewhere."""
TYPED = {"conversations:run_in": {"text": "Hello", "route": "demo"}}
"""What a form must hold for its view to look further."""
OPEN = {Capability.PUBLIC, Capability.OWN_AUTH}

urlpatterns = [*product, path("forgotten/", lambda _request: HttpResponse(), name="forgotten")]
"""The product with an address that somebody forgot to write into the table."""

CLIENT = Client()
"""One for all: each new one would set the middleware up again."""
ADDRESSES = every_address()


def walk(addresses: list[Address]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("address", addresses, ids=lambda address: address.name)


@walk(ADDRESSES)
def test_every_address_is_in_the_table(address: Address):
    assert address.name, "an address without a name cannot be given a permission"
    assert required(address.name), f"{address.name} is missing in permissions.ADDRESSES"
    assert set(address.arguments) <= set(SAMPLES), "tell addresses.SAMPLES how to fill it"


def test_the_table_holds_no_address_that_is_gone():
    named = {name for name in permissions.ADDRESSES if not name.endswith(":*")}

    assert named <= {address.name for address in ADDRESSES}


@walk([each for each in ADDRESSES if required(each.name) is not Capability.OWN_AUTH])
def test_a_role_passes_where_the_table_says_so(world: World, address: Address):
    capability = required(address.name)
    for name, method in product_of(ROLES, METHODS):
        user: User = getattr(world, name)
        allowed = capability in OPEN or standing_of_user(user).may(capability)
        if allowed and address.name in USES_THE_ENGINE:
            continue
        status = visit(user, method, address.of_team(world, world.search, user))

        assert (status != 403) == allowed, f"{name} got {status} from {method}"


def names_something_of_a_team(address: Address) -> bool:
    # A thread's page asks the engine first; `test_a_thread_is_its_persons_own` stands for it.
    return bool(set(address.arguments) - OF_NO_TEAM) and address.name != "conversations:thread"


@walk([each for each in ADDRESSES if names_something_of_a_team(each)])
def test_nobody_reaches_what_belongs_to_another_team(world: World, address: Address):
    for name, method in product_of(("vic", "mia", "ben"), METHODS):
        user: User = getattr(world, name)
        url = address.of_team(world, world.billing, world.cleo)
        status = visit(user, method, url, TYPED.get(address.name))

        assert status in {403, 404, 405}, f"{name} got {status} from {method}"


@walk([each for each in ADDRESSES if required(each.name) not in OPEN])
def test_a_stranger_is_sent_to_sign_in(world: World, address: Address):
    url = address.of_team(world, world.search, world.mia)
    page, fragment = Client().get(url), Client().get(url, headers={"HX-Request": "true"})

    assert page.url.startswith("/sign-in/?next=")
    assert (fragment.status_code, fragment["HX-Redirect"]) == (401, "/sign-in/")


def test_a_thread_is_its_persons_own(world: World):
    thread = a_thread(world.search, world.mia)
    assert owned(standing_of_user(world.mia), thread.pk) == thread
    for name in ("ben", "cleo", "ada"):
        with pytest.raises(Http404):
            owned(standing_of_user(getattr(world, name)), thread.pk)


def visit(user: User, method: str, url: str, data: dict[str, str] | None = None) -> int:
    """Status of a request whose effects are undone."""
    with transaction.atomic():
        CLIENT.cookies.clear()
        CLIENT.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
        status: int = getattr(CLIENT, method)(url, data).status_code
        transaction.set_rollback(True)
    return status


@pytest.mark.urls(__name__)
def test_an_address_that_is_not_in_the_table_is_refused_even_to_owners(world: World):
    client = Client()
    client.force_login(world.ada, backend="django.contrib.auth.backends.ModelBackend")

    assert client.get("/forgotten/").status_code == 403


def test_the_admin_is_for_owners(world: World):
    statuses = {name: visit(getattr(world, name), "get", "/-/admin/") for name in ROLES}

    assert statuses == {"vic": 403, "mia": 403, "ben": 403, "otto": 403, "ada": 200}


def test_an_owner_may_everything_and_nobody_else_does():
    assert capabilities("owner", None) == frozenset(Capability)
    assert capabilities("operator", "admin") < frozenset(Capability)


def test_an_operator_sets_no_money_limits_and_changes_no_people():
    assert not capabilities("operator", "member") & {
        Capability.MANAGE_BUDGETS,
        Capability.MANAGE_PEOPLE,
        Capability.MANAGE_MEMBERS,
    }


def test_a_viewer_runs_no_prompts_and_holds_no_keys():
    assert capabilities("", "viewer") == {Capability.SIGNED_IN, Capability.SEE_OWN_USE}
