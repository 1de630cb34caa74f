"""`manage.py key issue`."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone

from providers import virtual_keys
from providers.management.command import ScriptCommand, duration
from providers.models import Team, User
from providers.virtual_keys import Lifetime, Terms


class Command(ScriptCommand):
    help = "Issue virtual keys. The secret is shown once."

    def add_actions(self, actions: Any) -> None:
        issue = self.action(actions, "issue", "Issue a key; a live one of that name is refused.")
        issue.add_argument("--user", required=True, metavar="EMAIL")
        issue.add_argument("--name", required=True)
        issue.add_argument("--team", help="slug or name; without it the user's only or active team")
        issue.add_argument(
            "--rotate", action="store_true", help="revoke the live key of that name at once"
        )
        issue.add_argument(
            "--routes", metavar="NAME,NAME", help="only these; `all`: every one; as it was"
        )
        issue.add_argument(
            "--tag", help="of requests that name none; empty: none; as it was where not named"
        )
        issue.add_argument(
            "--expires", metavar="TIME", help="as 12h, 30d, 2027-01-31, or `never`; as it was"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        user = _user(options["user"])
        team = _team(user, options["team"])
        try:
            key, secret = virtual_keys.issue(
                user=user,
                team=team,
                name=options["name"],
                rotate=options["rotate"],
                terms=Terms(
                    _routes(options["routes"]), _lifetime(options["expires"]), options["tag"]
                ),
            )
        except virtual_keys.KeyRefused as refused:
            raise self.refusal(refused.field, str(refused), positional="") from None
        value = {
            "key": secret,
            "prefix": key.prefix,
            "team": team.slug,
            "name": key.name,
            "routes": key.routes,
            "tag": key.tag,
            "expires_at": key.expires_at and key.expires_at.isoformat(timespec="seconds"),
        }
        self.answer(options, value, f"{secret}\nThis is shown once; keep it now.")


def _routes(text: str | None) -> list[str] | None:
    if text is None:
        return None
    names = [] if text == "all" else [name.strip() for name in text.split(",") if name.strip()]
    if not names and text != "all":
        raise CommandError("--routes: name one at least, or `all`.")
    return names


def _lifetime(text: str | None) -> Lifetime | None:
    if text is None:
        return None
    if text == "never":
        return Lifetime(None)
    if length := duration(text):
        return Lifetime(length)
    try:
        day = datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
    except ValueError:
        raise CommandError(f"--expires: {text!r} is not like 12h, 30d, 2027-01-31.") from None
    if day <= timezone.now():
        raise CommandError(f"--expires: {text} has begun already.")
    return Lifetime(day - timezone.now())


def _user(email: str) -> User:
    user = User.objects.filter(email=email.lower(), is_active=True).first()
    if user is None:
        raise CommandError(
            f"--user: nobody here has the address {email}. "
            f"Add them: manage.py member add --email {email} --team TEAM --role member"
        )
    return user


def _team(user: User, name: str | None) -> Team:
    if name is not None:
        team = Team.objects.filter(slug=name).first() or Team.objects.filter(name=name).first()
        if team is None:
            known = ", ".join(Team.objects.order_by("slug").values_list("slug", flat=True))
            raise CommandError(f"--team: there is no team {name!r}. Known: {known or 'none yet'}.")
        return team
    teams = list(Team.objects.filter(memberships__user=user).order_by("slug"))
    if len(teams) == 1:
        return teams[0]
    if user.active_team is not None:
        return user.active_team
    if teams:
        names = ", ".join(team.slug for team in teams)
        raise CommandError(f"--team: {user.email} is in several teams; name one of {names}.")
    raise CommandError(
        f"--team: {user.email} is in no team. "
        f"Add them: manage.py member add --email {user.email} --team TEAM --role member"
    )
