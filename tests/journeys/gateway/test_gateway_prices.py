"""A price that is planned begins to hold at its moment, in a process that nobody tells."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.utils import timezone

from providers.catalog import overrides
from providers.catalog.overrides import Override
from providers.models import Deployment
from tests.journeys.gateway.world import IN_NANO, OUT_NANO, World, eventually

HI: Any = [{"role": "user", "content": "hi"}]


def test_a_planned_price_holds_from_its_moment_and_entries_name_the_one_they_were_computed_by(
    world: World,
) -> None:
    route = world.route("ok")
    deployment = Deployment.objects.get(targets__route__name=route)
    begins = timezone.now() + timedelta(seconds=1.5)
    tenfold = Override(Decimal(10), Decimal(20), "a test", begins=begins)
    overrides.add(deployment, tenfold)
    connection.close()

    count = 0

    def asked() -> tuple[int, str]:
        """Ask once; how many times the first price it cost, and by which one."""
        nonlocal count
        count += 1
        assert world.post({"model": route, "messages": HI}).status_code == 200
        _, _, _, tokens_in, tokens_out, _, cost = world.entries(count)[-1]
        row = world.books.execute(
            "SELECT price_version FROM providers_entry WHERE key_id = %s ORDER BY at DESC LIMIT 1",
            [world.key.pk],
        ).fetchone()
        assert row is not None
        return cost // (tokens_in * IN_NANO + tokens_out * OUT_NANO), row[0]

    times, first = asked()
    assert times == 1
    assert timezone.now() < begins, "this machine is too slow for the test"
    times, second = eventually(lambda: found if (found := asked())[0] == 10 else None, 10)
    assert begins <= timezone.now() <= begins + timedelta(seconds=5)
    assert first != second
    world.settled()
