"""Whose fault a stored error is, and its code in words, by the engine's table.

Only the provider's faults, its limits and our own configuration say something about a deployment;
what a caller did wrong or the gateway refused does not.
"""

from __future__ import annotations

from providers.engine.codes import CODES, Fault, row_of_code

__all__ = ["JUDGED", "Fault", "whose", "words"]

SAYS_OF_HEALTH = frozenset({Fault.PROVIDER, Fault.LIMIT, Fault.CONFIGURATION})
JUDGED = tuple(code for code, row in CODES.items() if row.fault in SAYS_OF_HEALTH)
"""Codes that count against a deployment."""


def whose(code: str) -> Fault:
    """Blame the gateway for a code that nobody has put in the table."""
    row = row_of_code(code)
    return Fault.GATEWAY if row is None else row.fault


def words(code: str) -> str:
    row = row_of_code(code)
    return code.replace("_", " ").capitalize() if row is None else row.title
