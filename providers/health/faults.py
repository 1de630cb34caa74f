"""Whose fault an error is, and its code in words.

Only the provider's faults, its limits and our own configuration say something about a deployment;
what a caller did wrong or the gateway refused does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Fault(StrEnum):
    PROVIDER = "provider"
    LIMIT = "limit"
    CONFIGURATION = "our configuration"
    CALLER = "caller"
    GATEWAY = "gateway"


CODES: Mapping[str, tuple[Fault, str]] = MappingProxyType({
    "upstream_timeout": (Fault.PROVIDER, "Did not answer in time"),
    "upstream_unavailable": (Fault.PROVIDER, "Not reached, or a server error"),
    "upstream_overloaded": (Fault.PROVIDER, "Overloaded"),
    "upstream_garbled": (Fault.PROVIDER, "Sent something malformed"),
    "stream_cut": (Fault.PROVIDER, "Cut the answer off"),
    "upstream_error": (Fault.PROVIDER, "Failed"),
    "upstream_throttled": (Fault.LIMIT, "Rate limit reached"),
    "upstream_quota_exhausted": (Fault.LIMIT, "Our account there has no credit left"),
    "credential_rejected": (Fault.CONFIGURATION, "Key refused"),
    "upstream_misconfigured": (Fault.CONFIGURATION, "No such model or address"),
    "unpriced": (Fault.CONFIGURATION, "No price under a hard budget"),
    "invalid_request": (Fault.CALLER, "Invalid request"),
    "model_not_found": (Fault.CALLER, "Unknown model"),
    "context_length_exceeded": (Fault.CALLER, "Too long for the model"),
    "content_blocked": (Fault.CALLER, "Content blocked"),
    "upstream_rejected": (Fault.CALLER, "Request refused by the provider"),
    "cancelled": (Fault.CALLER, "Caller left"),
    "rate_limited": (Fault.GATEWAY, "Caller's limit reached"),
    "budget_exceeded": (Fault.GATEWAY, "Budget spent"),
    "circuit_open": (Fault.GATEWAY, "Breaker lets it rest"),
    "no_deployment_available": (Fault.GATEWAY, "No deployment answered"),
    "ledger_unavailable": (Fault.GATEWAY, "Database did not take the hold"),
    "internal_error": (Fault.GATEWAY, "Internal error"),
})

SAYS_OF_HEALTH = frozenset({Fault.PROVIDER, Fault.LIMIT, Fault.CONFIGURATION})
JUDGED = tuple(code for code, (fault, _) in CODES.items() if fault in SAYS_OF_HEALTH)
"""Codes that count against a deployment."""


def whose(code: str) -> Fault:
    """Blame the gateway for a code that nobody has put in the table."""
    return CODES.get(code, (Fault.GATEWAY, ""))[0]


def words(code: str) -> str:
    return CODES[code][1] if code in CODES else code.replace("_", " ").capitalize()
