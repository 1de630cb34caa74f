"""`manage.py credential`: keys of providers, tried live before they are kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from providers import credentials, gateway
from providers.credentials import ORGANISATION, CredentialRefused, Holder, held, rotation
from providers.credentials.ring import RingUnreadable
from providers.management.command import ScriptCommand, duration
from providers.models import Credential, Provider, User
from providers.people.errors import PeopleError
from providers.people.teams import find_team

_TRIED_WITHIN_S = 30.0


class Command(ScriptCommand):
    help = "Keys of providers that are kept here. They are never shown."

    def add_actions(self, actions: Any) -> None:
        add = self.action(actions, "add", "Add one more key, once the provider has taken it.")
        rotate = self.action(actions, "rotate", "Put a new key in the old one's place.")
        revoke = self.action(actions, "revoke", "Forget a key in every process at once.")
        for action in (add, rotate, revoke):
            action.add_argument("provider", metavar="PROVIDER")
            action.add_argument("--team", help="slug or name; without it the organisation's")
            action.add_argument("--user", metavar="EMAIL", help="a person's own")
        for action in (add, rotate):
            action.add_argument(
                "--key-env", required=True, metavar="VAR", help="variable that holds the key"
            )
        for action in (rotate, revoke):
            action.add_argument(
                "--hint", help="last characters of the key, where there are several"
            )
        add.add_argument("--label", default="")
        add.add_argument("--weight", type=float, default=1.0, metavar="N")
        rotate.add_argument(
            "--overlap",
            default="1h",
            metavar="TIME",
            help="how long the old one stands in, as 30m, 1h, 7d; 0 revokes it at once",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        provider = _provider(options["provider"])
        try:
            done, words = _ACTIONS[options["action"]](provider, _holder(options), options)
        except CredentialRefused as fault:
            field = "key_env" if fault.field == "key" else fault.field
            raise self.refusal(field, fault.message) from None
        except PeopleError as fault:
            raise CommandError(f"--team: {fault.message}") from None
        except RingUnreadable as fault:
            raise CommandError(f"GAIWEB_KEY_RING: {fault}") from None
        value = {"provider": provider.name, "hint": done.hint, "label": done.label}
        self.answer(options, value, words)


def _add(provider: Provider, holder: Holder, options: Mapping[str, Any]) -> tuple[Credential, str]:
    secret = _tried(provider, options["key_env"])
    new = credentials.add(
        provider, secret, holder, label=options["label"], weight=options["weight"]
    )
    return new, f"The key ...{new.hint} works and is kept for {holder.named}."


def _rotate(
    provider: Provider, holder: Holder, options: Mapping[str, Any]
) -> tuple[Credential, str]:
    overlap = _overlap(options["overlap"])
    old = _one(provider, holder, options["hint"])
    secret = _tried(provider, options["key_env"])
    now = timezone.now()
    new = rotation.rotate(old, secret, overlap=overlap, now=now)
    until = f"stands in until {now + overlap:%Y-%m-%d %H:%M} UTC" if overlap else "is revoked"
    return new, f"Prompts go out with ...{new.hint} now; ...{old.hint} {until}."


def _revoke(
    provider: Provider, holder: Holder, options: Mapping[str, Any]
) -> tuple[Credential, str]:
    old = _one(provider, holder, options["hint"])
    credentials.revoke(old)
    return old, f"The key ...{old.hint} is forgotten. Revoke it at {provider.name} as well."


_ACTIONS = {"add": _add, "rotate": _rotate, "revoke": _revoke}


def _provider(name: str) -> Provider:
    provider = Provider.objects.filter(name=name).first()
    if provider is None:
        known = ", ".join(Provider.objects.order_by("name").values_list("name", flat=True))
        raise CommandError(f"PROVIDER: there is no {name!r}. Known: {known or 'none yet'}.")
    return provider


def _holder(options: Mapping[str, Any]) -> Holder:
    if options["user"] is not None:
        user = User.objects.filter(email=options["user"].lower(), is_active=True).first()
        if user is None:
            raise CommandError(f"--user: nobody here has the address {options['user']}.")
        return Holder(user=user)
    return ORGANISATION if options["team"] is None else Holder(team=find_team(options["team"]))


def _one(provider: Provider, holder: Holder, hint: str | None) -> Credential:
    found = list(held.of_holder(provider, holder).filter(ends_at=None))
    if hint is not None:
        found = [each for each in found if each.hint.endswith(hint)]
    if len(found) == 1:
        return found[0]
    known = ", ".join(each.hint or "(too short for a hint)" for each in found)
    raise CommandError(
        f"--hint: {holder.named} has {len(found)} such keys of {provider.name}. "
        + (f"Name one of {known}." if found else "Add one: manage.py credential add.")
    )


def _tried(provider: Provider, variable: str) -> str:
    secret = os.environ.get(variable, "").strip()
    if not secret:
        raise CommandError(f"--key-env: {variable} is not set. Export it, then run this again.")
    try:
        checked = gateway.run(gateway.check_key(provider, secret), _TRIED_WITHIN_S)
    finally:
        gateway.stop_running()
    if not checked.ok:
        raise CommandError(f"--key-env: nothing was changed. {checked.message}")
    return secret


def _overlap(text: str) -> timedelta:
    length = timedelta(0) if text == "0" else duration(text)
    if length is None:
        raise CommandError(f"--overlap: {text!r} is not like 30m, 1h, 7d or 0.")
    return length
