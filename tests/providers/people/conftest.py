"""Ada owns; in Search Ben is admin, Mia member, Vic viewer, Otto operator; Cleo is elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from providers.models import Membership, Team, User
from providers.people import accounts, members
from providers.people.teams import create_team

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class World:
    search: Team
    billing: Team
    ada: User
    otto: User
    ben: User
    mia: User
    vic: User
    cleo: User

    def membership(self, user: User, team: Team | None = None) -> Membership:
        return Membership.objects.get(user=user, team=team or self.search)


@pytest.fixture
def world(db: None) -> World:
    ada = accounts.bootstrap(email="ada@example.com", password=PASSWORD, team="Search").owner
    search, billing = Team.objects.get(name="Search"), create_team("Billing")
    return World(
        search=search,
        billing=billing,
        ada=ada,
        otto=_person("otto", search, "operator"),
        ben=_person("ben", search, "admin"),
        mia=_person("mia", search, "member"),
        vic=_person("vic", search, "viewer"),
        cleo=_person("cleo", billing, "admin"),
    )


def _person(name: str, team: Team, role: str) -> User:
    added = members.add_member(email=f"{name}@example.com", team=team, role=role)
    user = added.membership.user
    user.set_password(PASSWORD)
    user.save()
    return user
