"""The audit log: who changed what, from what to what, when and why; a chain of digests."""

from providers.audit.chain import FIRST, Facts, Verdict, verify, write, write_change

__all__ = ["FIRST", "Facts", "Verdict", "verify", "write", "write_change"]
