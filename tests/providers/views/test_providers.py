from __future__ import annotations

from providers import catalog, credentials
from providers.catalog import environment, snapshot
from providers.catalog.vendors import VENDORS
from providers.engine.presets import PRESETS
from providers.models import Provider
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

KEY = "sk-proj-" + "y" * 40 + "a3F9"


def test_a_key_is_write_only_after_saving(world: World, as_user: As):
    client = as_user(world.otto)
    values = {"vendor": "openai", "name": "openai", "key": KEY}
    made = client.post("/settings/providers/new/", values)
    provider = Provider.objects.get()
    assert made.url == "/settings/routes/new/?provider=openai&model=gpt-4o-mini"
    pages = [
        client.get("/settings/providers/").content.decode(),
        client.get(f"/settings/providers/{provider.pk}/").content.decode(),
    ]

    assert all("…a3F9" in page for page in pages)
    assert all(KEY not in page and KEY[:-4] not in page for page in pages)
    assert "by otto@example.com" in pages[0]


def test_a_refused_form_keeps_the_input_but_never_the_key(world: World, as_user: As):
    values = {
        "vendor": "compatible",
        "name": "Bad Name",
        "base_url": "https://x.example",
        "key": KEY,
    }
    page = as_user(world.otto).post("/settings/providers/new/", values)

    assert page.status_code == 422
    assert b'value="Bad Name"' in page.content
    assert b'id="id_name_error"' in page.content
    assert KEY.encode() not in page.content


def test_an_empty_key_keeps_the_stored_one(world: World, as_user: As):
    provider = catalog.add_provider(name="openai", kind="openai_chat", secret=KEY)
    before = bytes(provider.credentials.get().sealed)
    as_user(world.otto).post(f"/settings/providers/{provider.pk}/", {"base_url": "", "key": ""})

    assert bytes(provider.credentials.get().sealed) == before


def test_a_stored_key_does_not_follow_to_another_address(world: World, as_user: As):
    provider = catalog.add_provider(name="openai", kind="openai_chat", secret=KEY)
    page = as_user(world.otto).post(
        f"/settings/providers/{provider.pk}/", {"base_url": "https://evil.example/v1", "key": ""}
    )

    provider.refresh_from_db()
    assert page.status_code == 422
    assert b'id="id_key_error"' in page.content
    assert provider.base_url == ""


def test_the_test_button_asks_nobody_before_there_is_a_key(world: World, as_user: As):
    answer = as_user(world.otto).post("/settings/providers/test/", {"vendor": "openai", "key": ""})

    assert b"Paste a key" in answer.content


def test_the_test_button_refuses_a_senseless_address(world: World, as_user: As):
    values = {"vendor": "compatible", "key": KEY, "base_url": "http://x.example"}
    answer = as_user(world.otto).post("/settings/providers/test/", values)

    assert b"unencrypted" in answer.content
    assert KEY.encode() not in answer.content


def test_what_the_environment_gave_is_not_edited_here(world: World, as_user: As):
    provider = Provider.objects.create(name="groq", kind="openai_chat", from_environment=True)
    client = as_user(world.otto)
    page = client.get("/settings/providers/").content
    removed = client.post(f"/settings/providers/{provider.pk}/remove/", follow=True)

    assert b"come from the environment" in page
    assert f'/settings/providers/{provider.pk}/"'.encode() not in page
    assert b"remove its key there" in removed.content
    assert Provider.objects.exists()


def test_a_provider_is_switched_off_and_on_again(world: World, as_user: As):
    provider = catalog.add_provider(name="demo", kind="demo")
    client = as_user(world.otto)
    client.post(f"/settings/providers/{provider.pk}/switch/")

    assert b"Switched off" in client.get("/settings/providers/").content


def test_an_address_typed_under_another_card_is_not_taken(world: World, as_user: As):
    values = {"vendor": "openai", "name": "openai", "key": KEY, "base_url": "https://evil.example"}
    as_user(world.otto).post("/settings/providers/new/", values)

    assert Provider.objects.get().base_url == ""


def test_the_demo_tells_its_models_and_fails_or_recovers_at_a_press(world: World, as_user: As):
    route = catalog.lead_demo_route(catalog.add_provider(name="demo", kind="demo"))
    provider = Provider.objects.get()
    client = as_user(world.otto)
    page = client.get(f"/settings/providers/{provider.pk}/").content.decode()
    assert "demo-503" in page
    assert "Let them recover" in page

    client.post(f"/settings/providers/{provider.pk}/faults/")

    assert "Let them fail" in client.get(f"/settings/providers/{provider.pk}/").content.decode()
    (deployment,) = snapshot.read(environment.limits_of).routes[route.name].deployments
    assert deployment.options == {"faults": "off"}


def test_only_the_demo_fails_to_order(world: World, as_user: As):
    provider = catalog.add_provider(name="openai", kind="openai_chat", secret=KEY)
    answer = as_user(world.otto).post(f"/settings/providers/{provider.pk}/faults/")

    assert answer.status_code == 404


def test_a_vendors_card_is_enough_to_connect_it_and_its_page_names_it(world: World, as_user: As):
    client = as_user(world.otto)
    client.post("/settings/providers/new/", {"vendor": "groq", "name": "groq", "key": "gsk_1"})
    provider = Provider.objects.get()
    page = client.get(f"/settings/providers/{provider.pk}/").content.decode()
    assert (provider.kind, provider.preset) == ("openai_chat", "groq")
    assert "<p>Groq</p>" in page

    client.post(f"/settings/providers/{provider.pk}/", {"base_url": "", "key": ""})
    provider.refresh_from_db()
    assert provider.preset == "groq"


def test_a_local_server_is_connected_without_address_or_key(world: World, as_user: As):
    as_user(world.otto).post("/settings/providers/new/", {"vendor": "lmstudio", "name": "studio"})
    provider = Provider.objects.get()
    assert (provider.preset, provider.is_local) == ("lmstudio", True)


def test_every_vendor_has_a_card_and_the_chosen_one_is_in_sight(world: World, as_user: As):
    client = as_user(world.otto)
    page = client.get("/settings/providers/new/?vendor=mistral").content.decode()
    assert all(f'value="{vendor}"' in page for vendor in VENDORS)
    assert set(PRESETS) <= set(VENDORS)
    assert '<details class="more" open>' in page
    assert '<details class="more">' in client.get("/settings/providers/new/").content.decode()


def test_a_provider_with_several_keys_leads_to_them(world: World, as_user: As):
    acme = catalog.add_provider(name="acme", kind="openai_chat", secret="sk-first-0123456789")
    credentials.add(acme, "sk-second-0123456789-b7K2", weight=3)
    client = as_user(world.ada)
    assert "and 1 more" in client.get("/settings/providers/").content.decode()
    form = client.get(f"/settings/providers/{acme.pk}/").content.decode()
    assert "its 2 keys stay" in form
    refused = client.post(f"/settings/providers/{acme.pk}/", {"base_url": "", "key": "sk-third"})
    assert refused.status_code == 422
    assert "Say which one to rotate" in refused.content.decode()
