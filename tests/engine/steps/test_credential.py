from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from providers.engine.call import Caller
from providers.engine.errors import CredentialRejected, UpstreamError, UpstreamUnavailable
from providers.engine.events import Notice
from providers.engine.ports import BreakerWord
from providers.engine.routes import Deployment
from tests.engine.conftest import an_engine
from tests.fakes import (
    CALLER,
    MemoryLedger,
    Recorder,
    Script,
    a_deployment,
    a_request,
    a_route,
    an_answer,
)

REFUSED = CredentialRejected("The provider refused the key.", status=401)
FIRST = a_deployment()


@dataclass
class Several:
    """Names them in turn, those that were refused last of all."""

    names: list[str]
    taken: list[tuple[str, bool]] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def pick(self, deployment: Deployment, caller: Caller) -> str:
        refused = [name for name, is_taken in self.taken if not is_taken]
        return next((name for name in self.names if name not in refused), self.names[0])

    async def open(self, deployment: Deployment, credential: str) -> str | None:
        self.opened.append(credential)
        return f"secret of {credential}"

    def report(self, credential: str, *, is_taken: bool) -> None:
        self.taken.append((credential, is_taken))


@pytest.fixture
def several() -> Several:
    return Several(["old", "new"])


async def ask(
    script: Script, ledger: MemoryLedger, recorder: Recorder, several: Several
) -> list[Notice]:
    engine = an_engine(script, ledger, recorder, secrets=several)
    async with engine.open(a_request(), CALLER, a_route(FIRST)) as answer:
        async for _ in answer.events:
            pass
        return list(answer.call.notices)


async def test_a_refused_key_is_put_aside_and_another_one_answers(
    script: Script, ledger: MemoryLedger, recorder: Recorder, several: Several
) -> None:
    script.plays_for(FIRST, [REFUSED], an_answer())
    notices = await ask(script, ledger, recorder, several)
    assert script.secrets == ["secret of old", "secret of new"]
    assert several.taken == [("old", False), ("new", True)]
    assert [notice.message for notice in notices] == [
        "The provider refused the key. Trying another key."
    ]
    assert ledger.held_nano == 0


async def test_after_the_second_refusal_no_third_key_is_tried(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    several = Several(["one", "two", "three"])
    script.plays_for(FIRST, [REFUSED])
    with pytest.raises(CredentialRejected):
        await ask(script, ledger, recorder, several)
    assert several.opened == ["one", "two"]


async def test_the_only_key_is_not_tried_twice(
    script: Script, ledger: MemoryLedger, recorder: Recorder
) -> None:
    script.plays_for(FIRST, [REFUSED])
    with pytest.raises(CredentialRejected):
        await ask(script, ledger, recorder, Several(["one"]))
    assert len(script.opened) == 1


@pytest.mark.parametrize("fault", [UpstreamUnavailable("down.")])
async def test_no_other_fault_says_anything_about_the_key(
    script: Script,
    ledger: MemoryLedger,
    recorder: Recorder,
    several: Several,
    fault: UpstreamError,
) -> None:
    script.plays_for(FIRST, [fault])
    with pytest.raises(UpstreamUnavailable):
        await ask(script, ledger, recorder, several)
    assert several.taken == []
    assert set(several.opened) == {"old"}


async def test_each_key_has_a_circuit_of_its_own(
    script: Script, ledger: MemoryLedger, recorder: Recorder, several: Several
) -> None:
    engine = an_engine(script, ledger, recorder, secrets=several)
    script.plays_for(FIRST, *[[UpstreamUnavailable("down.")]] * 5, an_answer())
    for _ in range(5):
        with pytest.raises(UpstreamUnavailable):
            async with engine.open(a_request(), CALLER, a_route(FIRST)):
                pass
    several.names.reverse()
    async with engine.open(a_request(), CALLER, a_route(FIRST)) as answer:
        async for _ in answer.events:
            pass
    words = {state.credential: state.word for state in engine.breakers.snapshot()}
    assert words == {"old": BreakerWord.OPEN, "new": BreakerWord.CLOSED}
