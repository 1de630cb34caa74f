"""The cheaper route that answers where a budget says so, instead of a refusal."""

from __future__ import annotations

from dataclasses import replace

from providers.engine.call import Call
from providers.engine.errors import BudgetExceeded
from providers.engine.events import Notice, NoticeKind
from providers.engine.ports import Downgrade
from providers.engine.routes import Route


def take(call: Call, wanted: Downgrade, route: Route | None) -> None:
    """Lead the call there and say so; it is booked under the name that was asked for.

    Raises BudgetExceeded where that route may not answer it.
    """
    if route is None:
        raise refused(wanted, "is not in use")
    if call.caller.routes and wanted.route not in call.caller.routes:
        raise refused(wanted, "is none that this key may use")
    stays_local = all(each.is_local for each in call.route.deployments)
    if stays_local and not all(each.is_local for each in route.deployments):
        raise refused(wanted, "is not on this machine, as the route that was asked for is")
    asked = call.route.name
    call.route = replace(route, name=asked)
    call.cheaper_route = wanted.route
    words = f"{wanted.because}, so {wanted.route} answers instead of {asked}."
    call.notices.append(Notice(NoticeKind.BUDGET, words))


def refused(wanted: Downgrade, why: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"{wanted.because}, and its cheaper route {wanted.route} {why}. Nothing was charged."
        " Ask an owner to raise the budget or to name another route.",
        budget=wanted.budget,
        resets_at=wanted.resets_at,
    )
