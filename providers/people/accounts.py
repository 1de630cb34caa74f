"""Accounts: the first owner, passwords, and who may hand out a link for a new one."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.urls import reverse

from providers import audit
from providers.models import (
    Membership,
    Organisation,
    OrganisationRole,
    SetupLink,
    Team,
    TeamRole,
    User,
)
from providers.people import links
from providers.people.errors import PeopleError
from providers.people.teams import ensure_team

FIRST_TEAM = "Our team"


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """`is_new` False: that owner stood already, and the password was left as it was."""

    owner: User
    team: Team
    is_new: bool


def owner_exists() -> bool:
    return User.objects.filter(role=OrganisationRole.OWNER, is_active=True).exists()


def bootstrap(*, email: str, password: str, team: str = FIRST_TEAM) -> Bootstrapped:
    """Make an owner with a team. Twice is harmless. Raises PeopleError.

    Somebody who exists becomes an owner; a password that was set once is not changed.
    """
    email = clean_email(email)
    known = User.objects.filter(email=email).first()
    if known is None or not known.has_usable_password():
        check_password(password, User(email=email))
    with transaction.atomic():
        Organisation.objects.get_or_create(pk=1)
        owner = known or User(email=email)
        is_new = known is None or known.role != OrganisationRole.OWNER
        if not known or not known.has_usable_password():
            owner.set_password(password)
        set_organisation_role(owner, OrganisationRole.OWNER)
        home = ensure_team(team)
        Membership.objects.update_or_create(
            team=home, user=owner, defaults={"role": TeamRole.ADMIN}
        )
        if is_new:
            told = {"role": OrganisationRole.OWNER}
            audit.write(None, "member.role", f"{email} in {home.slug}", after=told)
    return Bootstrapped(owner, home, is_new)


def set_organisation_role(user: User, role: str) -> None:
    """Owners, and nobody else, also open Django's admin."""
    user.role = role
    user.is_staff = user.is_superuser = role == OrganisationRole.OWNER
    user.save()


def setup_link() -> str | None:
    """Path of a new one-time link that makes the first owner; None: there is an owner.

    A link made earlier stops working.
    """
    return None if owner_exists() else reverse("providers:setup", args=[links.issue(None)])


def accept_setup(link: SetupLink, *, email: str, password: str) -> User:
    """Make the first owner and use the link up. Raises PeopleError; the link then stays good."""
    with transaction.atomic():
        if owner_exists() or not links.redeem(link):
            raise PeopleError("This link was used already. Sign in instead.")
        return bootstrap(email=email, password=password).owner


@transaction.atomic
def password_link(user: User, by: User | None = None) -> str:
    """Path of a one-time link with which that person sets a password; older ones stop working."""
    audit.write(by, "link.made", user.email)
    return reverse("providers:invitation", args=[links.issue(user)])


def accept_invitation(link: SetupLink, *, password: str) -> User:
    """Set the password of the link's person and use it up. Raises PeopleError.

    Everybody who is signed in as that person is signed out: the session carries the old hash.
    """
    user = link.user
    if user is None or not user.is_active:
        raise PeopleError("This link does not work any more. Ask for a new one.")
    check_password(password, user)
    with transaction.atomic():
        if not links.redeem(link):
            raise PeopleError("This link was used already. Sign in, or ask for a new one.")
        user.set_password(password)
        user.save(update_fields=["password"])
        audit.write(user, "link.used", user.email)
    return user


def clean_email(email: str) -> str:
    """Lower case, without spaces around it. Raises PeopleError."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise PeopleError(f"{email!r} is not an e-mail address.", field="email") from None
    return email


def check_password(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as fault:
        raise PeopleError(" ".join(fault.messages), field="password") from None
