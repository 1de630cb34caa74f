"""The reports read what the ledger has committed."""

from tests.providers.ledger.conftest import books, conninfo, ledger, transactional_db

__all__ = ["books", "conninfo", "ledger", "transactional_db"]
