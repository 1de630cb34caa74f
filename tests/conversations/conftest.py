"""A desk with a scripted provider; Ada owns the thread, Ben is on her team, Cleo is a stranger."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from conversations import history
from conversations.choices import Choices
from conversations.models import Conversation, Run
from conversations.runs.desk import Desk
from conversations.runs.events import LogEvent
from conversations.runs.log import RunLog
from conversations.threads import in_thread
from providers.models import Membership, Team, User
from tests.conversations.script import Script

Person = Callable[..., User]


@pytest.fixture
def team(transactional_db: None) -> Team:
    return Team.objects.create(name="Search", slug="search")


@pytest.fixture
def person(team: Team) -> Person:
    def make(name: str, *, role: str | None = "member") -> User:
        user = User.objects.create_user(f"{name}@example.org", "a long pass phrase")
        if role:
            Membership.objects.create(team=team, user=user, role=role)
            user.active_team = team
            user.save()
        return user

    return make


@pytest.fixture
def ada(person: Person) -> User:
    return person("ada")


@pytest.fixture
def ben(person: Person) -> User:
    return person("ben", role="admin")


@pytest.fixture
def cleo(person: Person) -> User:
    return person("cleo", role=None)


@pytest.fixture
def thread(ada: User, team: Team) -> Conversation:
    return history.begin(ada, team, Choices("demo", "Be brief.", 0.5, 300))


@pytest.fixture
async def script() -> Script:
    return Script()


@pytest.fixture
async def open_desk(transactional_db: None) -> AsyncIterator[Callable[[Script], object]]:
    """Desks as if each were a process of its own."""
    desks: list[Desk] = []

    async def make(script: Script) -> Desk:
        desk = Desk(script.open_answer, await RunLog.open(max_size=2))
        await desk.open()
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        await desk.aclose(0)


@pytest.fixture
async def desk(open_desk: Callable[[Script], object], script: Script) -> Desk:
    return await open_desk(script)


async def everything(desk: Desk, run_id: object, after: int | None = 0) -> list[LogEvent]:
    """All that a tail says from `after` to the end."""
    return [event async for event in desk.tail(run_id, after) if event is not None]


async def reread(run_id: object) -> Run:
    return await in_thread(lambda: Run.objects.select_related("conversation").get(pk=run_id))
