"""`current_time`: the date and time in any time zone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, Field

from providers.engine.tools.hosted import HostedTool, ToolFailed, typed


class Where(BaseModel):
    time_zone: str = Field(
        default="UTC",
        max_length=64,
        description="IANA name such as Europe/Paris, America/New_York or UTC.",
    )


def current_time(utcnow: Callable[[], datetime]) -> HostedTool:
    async def run(where: Where) -> str:
        try:
            zone = ZoneInfo(where.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ToolFailed(
                f"There is no time zone {where.time_zone!r}; use an IANA name such as Europe/Paris."
            ) from None
        now = utcnow().astimezone(zone)
        return f"{now.isoformat(timespec='seconds')} ({now:%A}, {where.time_zone})"

    return typed(
        Where, run, name="current_time", description="Tell the current date, time and weekday."
    )
