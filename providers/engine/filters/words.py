"""Detectors of what is one word: e-mail addresses, IP addresses, keys and tokens.

None of them matches a space or a line's end, which is what makes `holding` right.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

Place = tuple[int, int]

_LETTERS = "A-Za-z\u00c0-\u052f"
_LOCAL = re.compile(rf"[{_LETTERS}0-9_.%+-]{{1,64}}\Z")
_DOMAIN = re.compile(
    rf"(?:[{_LETTERS}0-9](?:[{_LETTERS}0-9-]{{0,61}}[{_LETTERS}0-9])?\.){{1,8}}"
    rf"([{_LETTERS}]{{2,24}}|xn--[a-z0-9-]{{2,59}})(?![{_LETTERS}0-9_-])"
)
# `git@github.com:a/b` is an address of a repository.
_REPOSITORY = re.compile(r":[A-Za-z0-9_.-]*/")
# `image@2x.png` and its like are names of files.
_FILES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "ts", "py", "html"})
_LONGEST_LOCAL = 64


def emails(text: str) -> Iterator[Place]:
    at = text.find("@")
    while at >= 0:
        local = _LOCAL.search(text, max(at - _LONGEST_LOCAL, 0), at)
        domain = _DOMAIN.match(text, at + 1)
        if local and domain and _is_mail(text, local[0], domain):
            lead = len(local[0]) - len(local[0].lstrip(".-"))
            if lead < len(local[0]):
                yield local.start() + lead, domain.end()
        at = text.find("@", at + 1)


def _is_mail(text: str, local: str, domain: re.Match[str]) -> bool:
    if local == "git" or domain[1].lower() in _FILES:
        return False
    return _REPOSITORY.match(text, domain.end()) is None


_V4 = re.compile(r"(?<![\w.-])(?:\d{1,3}\.){3}\d{1,3}(?![\w-]|\.\w)", re.ASCII)
_V6 = re.compile(
    r"(?<![\w:.])(?=[A-Fa-f:]*\d)(?=[0-9A-Fa-f]{3,4}:|::[fF]{4}:)[0-9A-Fa-f:]{4,39}"
    r"(?:(?<=:)(?:\d{1,3}\.){3}\d{1,3})?(?![\w:]|\.\w)",
    re.ASCII,
)


def ip_addresses(text: str) -> Iterator[Place]:
    """Those that point to somebody: neither loopback nor unspecified nor broadcast."""
    for found in _V4.finditer(text) if "." in text else ():
        if _is_address(found[0]):
            yield found.span()
    for found in _V6.finditer(text) if ":" in text else ():
        if _is_address(found[0]):
            yield found.span()


def _is_address(word: str) -> bool:
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified or word == "255.255.255.255")


# Source: the vendors' own pages on the form of their keys, and GitHub's list of token prefixes.
_KEYS = {
    "sk-": r"sk-(?:ant-|or-v1-|proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}",
    "gai_": r"gai_[A-Za-z0-9]{20,}",
    "AKIA": r"AKIA[0-9A-Z]{16}",
    "ASIA": r"ASIA[0-9A-Z]{16}",
    "gh": r"gh[pousr]_[A-Za-z0-9]{36,255}",
    "github_pat_": r"github_pat_[A-Za-z0-9_]{22,255}",
    "glpat-": r"glpat-[A-Za-z0-9_-]{20,}",
    "AIza": r"AIza[0-9A-Za-z_-]{35}",
    "xox": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "k_live_": r"[rs]k_live_[A-Za-z0-9]{16,}",
    "k_test_": r"[rs]k_test_[A-Za-z0-9]{16,}",
    "hf_": r"hf_[A-Za-z0-9]{30,}",
    "gsk_": r"gsk_[A-Za-z0-9]{40,}",
    "xai-": r"xai-[A-Za-z0-9]{40,}",
}
_KEY = re.compile(rf"(?<![A-Za-z0-9_])(?:{'|'.join(_KEYS.values())})(?![A-Za-z0-9_-])")


def api_keys(text: str) -> Iterator[Place]:
    if any(head in text for head in _KEYS):
        for found in _KEY.finditer(text):
            # `sk-learn-...` of words: a key has digits in it.
            if any(character.isdigit() for character in found[0]):
                yield found.span()


_JWT = re.compile(r"(?<![\w.-])eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?", re.ASCII)


def jwts(text: str) -> Iterator[Place]:
    if "eyJ" in text:
        for found in _JWT.finditer(text):
            yield found.span()
