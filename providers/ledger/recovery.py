"""Holds that nobody settled, resolved by rule after their deadline."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

_BATCH = 500


def expire(now: datetime) -> int:
    """Book open reservations past their deadline at their hold; answers how many.

    Each gets one entry of status `expired`, unconfirmed, without a cost where the price was
    unknown. Whoever comes first closes a reservation: a settlement that comes after expiry changes
    nothing, so nothing is booked twice, and the estimate stands until an operator corrects it.
    Rows that a settlement holds at this moment are passed over. Safe to run anywhere, any time.
    """
    expired = 0
    some: int
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT ledger_expire(%s, %s)", [now, _BATCH])
            some = cursor.fetchone()[0]
            expired += some
            if some < _BATCH:
                return expired
