"""Processes to be killed for real, forked from one that has imported what they run.

A start of the interpreter with Django costs a second; a fork costs a hundredth of one.
"""

from __future__ import annotations

import multiprocessing
import os

RUNS = ("tests.providers.ledger.crowd", "tests.providers.ledger.dying")
"""Modules whose functions tests run in processes of their own."""

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["__main__", *RUNS])

IS_TORTURE = "GAIWEB_TORTURE" in os.environ
"""Whether `make torture` asks for the long form of a test."""
