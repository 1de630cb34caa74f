"""Secrets under keys under keys."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers.credentials.envelope import Binding, EnvelopeBroken, seal, unseal
from providers.credentials.ring import KeyRing, RingUnreadable, parse

RING = KeyRing("new", {"new": b"n" * 32, "old": b"o" * 32})
BINDING = Binding(provider_id=1, team_id=None, user_id=None)


@settings(max_examples=25, deadline=None)
@given(secret=st.text(min_size=1, max_size=200))
def test_what_was_sealed_opens_again(secret: str) -> None:
    assert unseal(seal(secret, BINDING, RING), BINDING, RING) == secret


def test_nothing_of_the_secret_shows() -> None:
    envelope = seal("sk-canary", BINDING, RING)
    assert b"canary" not in envelope.sealed + envelope.wrapped_key
    assert "canary" not in repr(envelope) + repr(RING)
    assert seal("sk-canary", BINDING, RING).sealed != envelope.sealed


@pytest.mark.parametrize(
    "elsewhere",
    [Binding(2, None, None), Binding(1, 1, None), Binding(1, None, 1)],
    ids=["provider", "team", "user"],
)
def test_an_envelope_moved_to_another_row_does_not_open(elsewhere: Binding) -> None:
    with pytest.raises(EnvelopeBroken):
        unseal(seal("sk", BINDING, RING), elsewhere, RING)


@pytest.mark.parametrize("field", ["sealed", "wrapped_key"])
@pytest.mark.parametrize("place", [0, 5, -1])
def test_an_altered_byte_is_noticed(field: str, place: int) -> None:
    envelope = seal("sk", BINDING, RING)
    box = bytearray(getattr(envelope, field))
    box[place] ^= 1
    with pytest.raises(EnvelopeBroken):
        unseal(replace(envelope, **{field: bytes(box)}), BINDING, RING)


def test_an_older_key_of_the_ring_still_opens() -> None:
    before = seal("sk", BINDING, KeyRing("old", RING.keys))
    assert unseal(before, BINDING, RING) == "sk"


def test_a_lost_key_of_the_ring_is_told_by_name() -> None:
    envelope = seal("sk", BINDING, KeyRing("old", RING.keys))
    with pytest.raises(RingUnreadable, match="'old'"):
        unseal(envelope, BINDING, KeyRing("new", {"new": b"n" * 32}))


def test_the_first_entry_of_a_ring_seals() -> None:
    key = base64.b64encode(b"k" * 32).decode()
    assert parse(f"b:{key},a:{key}").current == "b"
    assert parse(f"b:{key}\na:{key}\n").current == "b"


@pytest.mark.parametrize("text", ["", "a", "a:!!", ":" + "A" * 44, "a:c2hvcnQ="])
def test_a_malformed_ring_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(RingUnreadable) as fault:
        parse(text)
    assert "c2hvcnQ" not in str(fault.value)
