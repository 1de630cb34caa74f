"""The raw tables: all of them to look at, no secret among them, few columns to change."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.db import models
from django.test import Client
from django.urls import reverse

from providers.models import AuditEntry, Credential, Organisation, Provider, User
from tests.providers import spent

TABLES = [model for model in admin.site._registry if model._meta.app_label == "providers"]


@pytest.fixture
def owner(ada: User) -> Client:
    client = Client()
    client.force_login(ada)
    return client


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_every_table_can_be_looked_at(owner: Client, model: type[models.Model]):
    spent.deployment("openai/gpt-a")
    spent.entry()
    spent.open_reservation()

    name = f"admin:providers_{model._meta.model_name}"
    assert owner.get(reverse(f"{name}_changelist")).status_code == 200
    assert owner.get(reverse(f"{name}_add")).status_code == 403
    row = model._default_manager.first()
    if row is not None:
        assert owner.get(reverse(f"{name}_change", args=[row.pk])).status_code == 200
        assert owner.post(reverse(f"{name}_delete", args=[row.pk])).status_code == 403


def test_secrets_are_on_no_page(owner: Client, ada: User):
    provider = Provider.objects.create(name="openai", kind="openai_chat")
    held = Credential.objects.create(
        provider=provider, sealed=b"canary-1", wrapped_key=b"canary-2", ring_key="k", hint="a3F9"
    )

    shown = owner.get(reverse("admin:providers_credential_change", args=[held.pk]))
    person = owner.get(reverse("admin:providers_user_change", args=[ada.pk]))

    assert "a3F9" in shown.content.decode()
    assert "canary" not in shown.content.decode()
    assert ada.password not in person.content.decode()


def test_the_reporting_time_zone_must_exist(owner: Client, db: None):
    Organisation.objects.get_or_create(pk=1)
    url = reverse("admin:providers_organisation_change", args=[1])

    refused = owner.post(url, {"name": "Ours", "time_zone": "Mars/Olympus"})
    taken = owner.post(url, {"name": "Ours", "time_zone": "Asia/Kathmandu"})

    assert refused.status_code == 200
    assert taken.status_code == 302
    assert Organisation.objects.get().time_zone == "Asia/Kathmandu"


def test_what_is_changed_in_a_table_is_in_the_audit_log(owner: Client, ada: User):
    provider = Provider.objects.create(name="acme", kind="openai_chat")
    url = reverse("admin:providers_provider_change", args=[provider.pk])
    assert owner.post(url, {}).status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor, entry.target) == (
        "table.changed",
        ada.email,
        "provider acme",
    )
    assert (entry.before, entry.after) == ({"is_enabled": True}, {"is_enabled": False})
