"""All detectors that a policy asks for, as one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from providers.engine.filters import numbers, words
from providers.engine.filters.folding import Folded, folded
from providers.engine.filters.patterns import Pattern, compiled
from providers.engine.filters.spans import Kind, Span, merged
from providers.engine.policy import Policy

Detector = Callable[[str], Iterable[tuple[int, int]]]

REGIONS = ("US",)
"""Where telephone numbers without a country code are taken to be from."""

_OF_DIGITS = frozenset({Kind.PHONE, Kind.SSN, Kind.CREDIT_CARD, Kind.IBAN, Kind.API_KEY})
_DIGIT = re.compile(r"[0-9]")
_IGNORED = re.compile(r"[\s()\-]")


class DetectorFailed(Exception):
    """A detector broke: nobody knows what is in the text. `kind` names the detector."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Finder:
    """`allowed` are finds that may pass, in their plain form; `@example.org` allows its addresses.

    `patterns` may span words, so that answers are held back longer for them.
    """

    detectors: Mapping[str, Detector]
    patterns: tuple[Pattern, ...] = ()
    allowed: frozenset[str] = frozenset()
    suffixes: tuple[str, ...] = field(default=())

    def find(self, text: str) -> list[Span]:
        """Every find, in order and apart. Raises DetectorFailed."""
        return self.find_in(folded(text))

    def find_in(self, text: Folded) -> list[Span]:
        found = [
            Span(*text.span(start, end), kind)
            for kind, start, end in self._places(text.text)
            if not self._may_pass(text.text[start:end])
        ]
        return merged(found) if found else found

    def _places(self, text: str) -> Iterator[tuple[str, int, int]]:
        for pattern in self.patterns:
            yield from _guarded(pattern.name, pattern.places, text)
        has_digits = _DIGIT.search(text) is not None
        for kind, detector in self.detectors.items():
            if kind in _OF_DIGITS and not has_digits:
                continue
            yield from _guarded(kind, detector, text)

    def _may_pass(self, found: str) -> bool:
        if not self.allowed and not self.suffixes:
            return False
        plain = _plain(found)
        return plain in self.allowed or plain.endswith(self.suffixes)


def finder_of(policy: Policy, regions: Sequence[str] = REGIONS) -> Finder:
    """Compile what the policy asks for. Raises PatternFault."""
    known: Mapping[str, Detector] = {
        Kind.API_KEY: words.api_keys,
        Kind.JWT: words.jwts,
        Kind.EMAIL: words.emails,
        Kind.IBAN: numbers.ibans,
        Kind.CREDIT_CARD: numbers.cards,
        Kind.SSN: numbers.ssns,
        Kind.IP_ADDRESS: words.ip_addresses,
        Kind.PHONE: partial(numbers.phones, regions=tuple(regions)),
    }
    wanted = policy.pii_detectors or tuple(known)
    entries = [_plain(entry) for entry in policy.pii_allow if entry.strip()]
    return Finder(
        detectors={kind: detector for kind, detector in known.items() if kind in wanted},
        patterns=tuple(compiled(each) for each in policy.pii_patterns),
        allowed=frozenset(entries),
        suffixes=tuple(entry for entry in entries if entry.startswith("@")),
    )


def _guarded(kind: str, detector: Detector, text: str) -> Iterator[tuple[str, int, int]]:
    # Fail closed, whatever breaks.
    try:
        for start, end in detector(text):
            yield kind, start, end
    except Exception as bug:
        raise DetectorFailed(kind) from bug


def _plain(text: str) -> str:
    return _IGNORED.sub("", folded(text).text).casefold()
