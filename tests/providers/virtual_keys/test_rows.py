"""The key table as the gateway reads it."""

from __future__ import annotations

from typing import Any

import pytest

from providers.engine.errors import LedgerUnavailable
from providers.virtual_keys.rows import KeyRows, LastUsed, Pool


async def test_a_database_that_is_away_refuses_and_loses_no_notes() -> None:
    pool: Any = Pool("host=127.0.0.1 port=1 connect_timeout=1", min_size=0, max_size=1, open=False)
    await pool.open()
    rows = KeyRows(pool, patience_s=0.05)
    with pytest.raises(LedgerUnavailable):
        await rows.find("gai_12345678")
    last_used = LastUsed(rows, lambda: 1.0)
    last_used.note(7)
    await last_used.flush()
    assert last_used._waiting == {7: 1.0}
    await pool.close()
