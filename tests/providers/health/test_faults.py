"""Every error of the engine is somebody's fault, in words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from providers.engine import errors
from providers.engine.errors import UpstreamError
from providers.health import faults
from providers.health.faults import Fault


def every(kind: type[UpstreamError]) -> Iterator[type[UpstreamError]]:
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from every(below)


@pytest.mark.parametrize("kind", list(every(UpstreamError)), ids=lambda kind: kind.__name__)
def test_what_trips_the_breaker_is_the_providers_fault(kind: type[UpstreamError]):
    assert kind.trips_breaker == (faults.whose(kind.code) is Fault.PROVIDER)


def test_an_unknown_code_is_ours_and_readable():
    assert faults.whose("new_kind_of_fault") is Fault.GATEWAY
    assert faults.words("new_kind_of_fault") == "New kind of fault"


def test_neither_callers_nor_our_refusals_count_against_a_deployment():
    assert "cancelled" not in faults.JUDGED
    assert "upstream_rejected" not in faults.JUDGED
    assert "circuit_open" not in faults.JUDGED
    assert "credential_rejected" in faults.JUDGED
