"""Committed data: what the ledger's own connections write, a rolled-back test would not see."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
from django.db import connection
from psycopg.conninfo import make_conninfo

from providers.ledger.pool import connect
from providers.ledger.postgres import PostgresLedger
from tests.providers.ledger.ledgers import Books

TABLES = (
    "spendday",
    "spendquarter",
    "spendgroup",
    "entry",
    "reservation",
    "budgetwindow",
    "budget",
    "price",
    "deployment",
    "provider",
    "virtualkey",
    "membership",
    "team",
    "user",
)


@pytest.fixture(scope="module")
def conninfo(committed_rows: None, django_db_blocker: Any) -> str:
    with django_db_blocker.unblock():
        settings = connection.settings_dict
        assert settings["NAME"].startswith("test_"), "these tests delete what they find"
        return make_conninfo(
            dbname=settings["NAME"],
            host=settings["HOST"] or None,
            port=settings["PORT"] or None,
            user=settings["USER"] or None,
            password=settings["PASSWORD"] or None,
        )


@pytest.fixture
def transactional_db(django_db_setup: None) -> None:
    """Replace pytest-django's, which is asked for by this name: emptying every table after each
    test takes longer than the tests, and takes the rows that migrations made.
    """


@pytest.fixture
def books(conninfo: str, transactional_db: None, django_db_blocker: Any) -> Iterator[Books]:
    """Clear the ledger before and after, and look into it from a connection of our own."""
    with django_db_blocker.unblock(), psycopg.connect(conninfo, autocommit=True) as own:
        clear = ";".join(f"DELETE FROM providers_{table}" for table in TABLES)
        # Rows of it are kept from deletion, one by one.
        clear += ";TRUNCATE providers_auditentry; UPDATE providers_spendfold SET until = NULL"
        own.execute(clear)
        yield Books(own)
        connection.close()
        own.execute(clear)


@pytest.fixture
async def ledger(books: Books, conninfo: str) -> AsyncIterator[PostgresLedger]:
    ledger = PostgresLedger(await connect(conninfo))
    yield ledger
    await ledger.aclose()
