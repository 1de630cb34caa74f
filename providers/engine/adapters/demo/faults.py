"""How the demo's models fail: as real providers do, at the same places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from providers.engine.errors import (
    StreamCut,
    UpstreamError,
    UpstreamGarbled,
    UpstreamThrottled,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from providers.engine.routes import Deployment

Failure = Callable[[str], UpstreamError]
"""Makes the error of the deployment that is named."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How a model differs from one that works; the waits in seconds.

    `refuses`: before there is an answer. `breaks`: when half of it is out, at once or, `silently`,
    after the time that a stream may be silent.
    """

    first_wait_s: float = 0.0
    longer_pause_s: float = 0.0
    refuses: Failure | None = None
    breaks: Failure | None = None
    silently: bool = False


_NONE = Fault()
_FAULTS: Mapping[str, Fault] = {
    "demo-slow": Fault(first_wait_s=2.0, longer_pause_s=0.2),
    "demo-429": Fault(
        refuses=lambda name: UpstreamThrottled(
            f"{name} is at its rate limit.", status=429, retry_after_s=1.0
        )
    ),
    "demo-503": Fault(
        refuses=lambda name: UpstreamUnavailable(f"{name} is not available.", status=503)
    ),
    "demo-cut": Fault(breaks=lambda name: StreamCut(f"{name} broke off in its answer.")),
    "demo-stall": Fault(
        breaks=lambda name: UpstreamTimeout(f"{name} fell silent in its answer."), silently=True
    ),
    "demo-garbled": Fault(
        breaks=lambda name: UpstreamGarbled(f"{name} sent something that is not JSON.")
    ),
}


def fault_of(deployment: Deployment) -> Fault:
    """None where an operator has switched the demo's faults off."""
    if deployment.options.get("faults") == "off":
        return _NONE
    return _FAULTS.get(deployment.model, _NONE)
