"""Who a presented key belongs to, without a database."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from providers.engine.call import Caller, Source
from providers.virtual_keys import InvalidKey, KeyVerifier
from providers.virtual_keys.secret import PREFIX_LENGTH, SECRET_LENGTH, digest, generate
from providers.virtual_keys.verifier import KnownKey

PEPPER = b"pepper"


class Table:
    """A key table in memory that counts its questions; `gate` holds them."""

    def __init__(self) -> None:
        self.rows: dict[str, KnownKey] = {}
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    def add(self, secret: str, *, expires_at: float | None = None) -> Caller:
        caller = Caller(Source.GATEWAY, user_id=1, team_id=2, key_id=len(self.rows) + 1)
        known = KnownKey(digest(secret, PEPPER), caller, expires_at)
        self.rows[secret[:PREFIX_LENGTH]] = known
        return caller

    async def find(self, prefix: str) -> KnownKey | None:
        self.asked.append(prefix)
        found = self.rows.get(prefix)
        await self.gate.wait()
        return found


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def table() -> Table:
    return Table()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def used() -> list[int]:
    return []


@pytest.fixture
def verifier(table: Table, clock: Clock, used: list[int]) -> KeyVerifier:
    note: Callable[[int], None] = used.append
    return KeyVerifier(
        find=table.find, used=note, pepper=PEPPER, now=clock, epoch=clock, keep_s=30, most=100
    )


def test_a_secret_carries_256_bits() -> None:
    secret = generate()
    assert len(secret) == SECRET_LENGTH
    assert 62 ** (SECRET_LENGTH - len("gai_")) >= 2**256
    assert secret != generate()


async def test_a_known_key_asks_the_database_once(table: Table, verifier: KeyVerifier) -> None:
    secret = generate()
    caller = table.add(secret)
    assert await verifier.verify(secret) == caller
    assert await verifier.verify(secret) == caller
    assert len(table.asked) == 1


async def test_its_use_is_noted(table: Table, verifier: KeyVerifier, used: list[int]) -> None:
    secret = generate()
    table.add(secret)
    await verifier.verify(secret)
    assert used == [1]


async def test_the_right_prefix_with_a_wrong_secret_is_refused(
    table: Table, verifier: KeyVerifier, used: list[int]
) -> None:
    secret = generate()
    table.add(secret)
    forged = secret[:-1] + ("a" if secret[-1] != "a" else "b")
    with pytest.raises(InvalidKey):
        await verifier.verify(forged)
    assert used == []


@pytest.mark.parametrize("secret", ["", "gai_short", "sk-" + "a" * 44, "gai_" + "a" * 44])
async def test_what_is_no_key_at_all_never_reaches_the_database(
    table: Table, verifier: KeyVerifier, secret: str
) -> None:
    with pytest.raises(InvalidKey):
        await verifier.verify(secret)
    assert table.asked == []


async def test_an_unknown_key_is_remembered_as_unknown(table: Table, verifier: KeyVerifier) -> None:
    secret = generate()
    for _ in range(3):
        with pytest.raises(InvalidKey):
            await verifier.verify(secret)
    assert len(table.asked) == 1


async def test_guessed_keys_do_not_fill_the_memory(table: Table, verifier: KeyVerifier) -> None:
    for _ in range(300):
        with pytest.raises(InvalidKey):
            await verifier.verify(generate())
    assert len(verifier._known) == 100
    assert not verifier._asking


async def test_a_cold_key_under_load_asks_once(table: Table, verifier: KeyVerifier) -> None:
    secret = generate()
    caller = table.add(secret)
    table.gate.clear()
    waiting = [asyncio.create_task(verifier.verify(secret)) for _ in range(50)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    table.gate.set()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [caller] * 49
    assert len(table.asked) == 1


async def test_what_was_read_before_a_change_does_not_outlive_it(
    table: Table, verifier: KeyVerifier
) -> None:
    secret = generate()
    table.add(secret)
    table.gate.clear()
    waiting = asyncio.create_task(verifier.verify(secret))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    table.rows.clear()
    verifier.forget()
    table.gate.set()
    await waiting
    with pytest.raises(InvalidKey):
        await verifier.verify(secret)


async def test_an_expired_key_is_refused_also_from_memory(
    table: Table, verifier: KeyVerifier, clock: Clock
) -> None:
    secret = generate()
    table.add(secret, expires_at=1010.0)
    await verifier.verify(secret)
    clock.at = 1010.0
    with pytest.raises(InvalidKey):
        await verifier.verify(secret)


async def test_a_lost_notification_is_repaired_by_age(
    table: Table, verifier: KeyVerifier, clock: Clock
) -> None:
    secret = generate()
    table.add(secret)
    await verifier.verify(secret)
    table.rows.clear()
    clock.at += 31
    with pytest.raises(InvalidKey):
        await verifier.verify(secret)


async def test_a_failed_question_is_asked_again(table: Table, verifier: KeyVerifier) -> None:
    secret = generate()
    caller = table.add(secret)
    find = verifier.find

    async def broken(prefix: str) -> KnownKey | None:
        raise OSError

    verifier.find = broken
    with pytest.raises(OSError):
        await verifier.verify(secret)
    verifier.find = find
    assert await verifier.verify(secret) == caller
