"""Detectors of what people write in groups of digits: telephone, card and account numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from phonenumbers import Leniency, PhoneNumberMatcher
from stdnum import iban, luhn

Place = tuple[int, int]

_MARKS = r"().+/\-"
# Groups of digits with at most two spaces between; `holding` knows where such a run may go on.
_RUN = re.compile(
    r"[+(\d](?<![A-Za-z0-9_].)(?:(?<=\d)|\d)"
    rf"[\d{_MARKS}]*+(?: {{1,2}}[\d{_MARKS}]++)*+(?![A-Za-z_])",
    re.ASCII,
)
_FEWEST_DIGITS = 7
_ABROAD = re.compile(r"(?<![\d+])00(?=[1-9])")
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4}")
# Three, three and four: what a number of North America looks like where its groups are apart.
_NORTH_AMERICAN = re.compile(r"\d{3}\)?[ .\-/]{0,2}\d{3}[ .\-/]{1,2}\d{4}(?!\d)")
_NORTH_AMERICA = frozenset({"US", "CA"})
_SEPARATED = re.compile(r"\d[ ().\-/]+\d")


def phones(text: str, regions: Sequence[str]) -> Iterator[Place]:
    """International numbers of everywhere, and national ones of `regions` with their groups apart.

    Bare digits without a plus are too often something else.
    """
    for start, written in _runs(text):
        run = _ABROAD.sub("++", written)
        if "+" in run:
            for found in PhoneNumberMatcher(run, None, leniency=Leniency.VALID):
                yield start + found.start, start + found.end
        if _SEPARATED.search(run) and not _DATE.fullmatch(run):
            yield from _national(start, run, regions)


def _national(start: int, run: str, regions: Sequence[str]) -> Iterator[Place]:
    for region in regions:
        if region in _NORTH_AMERICA and _NORTH_AMERICAN.search(run) is None:
            continue
        for found in PhoneNumberMatcher(run, region, leniency=Leniency.VALID):
            raw = found.raw_string
            if "+" not in raw and _SEPARATED.search(raw):
                yield start + found.start, start + found.end


def _runs(text: str) -> Iterator[tuple[int, str]]:
    for found in _RUN.finditer(text):
        if sum(character.isdigit() for character in found[0]) >= _FEWEST_DIGITS:
            yield found.start(), found[0]


# Source: Social Security Administration, "Invalid SSNs": no 000, 666, 9xx; no 00; no 0000.
_SSN = re.compile(
    r"\d(?<![\w.\-/+].)(?<!\d .)(?<!9)\d{2}(?<!000|666)([- ])"
    r"(?!00)\d{2}\1(?!0000)\d{4}(?!\w|[-./]\w| \d)",
    re.ASCII,
)
# Printed on sample cards and in advertisements, and never given to anybody.
_ADVERTISED = frozenset({"078051120", "219099999", "457555462"})


def ssns(text: str) -> Iterator[Place]:
    for found in _SSN.finditer(text):
        if re.sub(r"\D", "", found[0]) not in _ADVERTISED:
            yield found.span()


_CARD = re.compile(
    r"\d(?<![\w.+].)(?<!\w[.-].)(?:\d{12,18}"
    r"|\d{3}([ -])\d{6}\1\d{4,5}"
    r"|\d{3}([ -])\d{4}\2\d{4}\2\d{1,4}(?:\2\d{1,3})?)(?!\w|\.\d)",
    re.ASCII,
)
# Source: ISO/IEC 7812 ranges as the networks publish them: first digits, then possible lengths.
_NETWORKS = (
    (r"4", range(13, 20, 3)),
    (r"3[47]", range(15, 16)),
    (r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720", range(16, 17)),
    (r"6011|64[4-9]|65|62|35|220[0-4]|60|81|82|508", range(16, 20)),
    (r"30[0-5]|3[689]", range(14, 20)),
    (r"50|5[6-8]|6[0379]", range(13, 20)),
)
_NETWORK = tuple((re.compile(heads), lengths) for heads, lengths in _NETWORKS)


def cards(text: str) -> Iterator[Place]:
    for found in _CARD.finditer(text):
        written = found[0]
        # A security code may stand behind as a group of its own.
        for shown in dict.fromkeys((written, re.sub(r"[ -]\d+\Z", "", written))):
            if _is_card(re.sub(r"\D", "", shown)):
                yield found.start(), found.start() + len(shown)
                break


def _is_card(digits: str) -> bool:
    known = any(heads.match(digits) and len(digits) in sizes for heads, sizes in _NETWORK)
    return known and luhn.is_valid(digits)


_IBAN = re.compile(
    r"(?<![A-Za-z0-9_])(?:[A-Za-z]{2}\d{2}[A-Za-z0-9]{11,30}"
    r"|[A-Z]{2}\d{2}(?:[ -][A-Z0-9]{4}){2,7}(?:[ -][A-Z0-9]{1,3})?)(?![A-Za-z0-9_])"
)


def ibans(text: str) -> Iterator[Place]:
    for found in _IBAN.finditer(text):
        shown = found[0]
        # Words in capitals may follow that look like groups.
        while len(shown) > 14:
            if iban.is_valid(shown, check_country=False):
                yield found.start(), found.start() + len(shown)
                break
            shown = re.sub(r"[ -][A-Z0-9]+\Z|.\Z", "", shown) if re.search("[ -]", shown) else ""
