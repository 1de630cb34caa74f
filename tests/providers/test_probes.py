"""The free question to every provider, from a process that has no loop of its own."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from django.utils import timezone

from providers import catalog
from providers.credentials import Checked
from providers.health import probe
from providers.models import Deployment, Probe
from providers.state.own_loop import OwnLoop


@pytest.fixture
def deployment(db: None) -> Deployment:
    demo = catalog.add_provider(name="demo", kind="demo")
    return catalog.lead_demo_route(demo).targets.get().deployment


def test_what_was_found_is_kept_and_the_old_is_swept(deployment: Deployment) -> None:
    old = timezone.now() - probe.KEPT - timedelta(hours=1)
    Probe.objects.create(deployment=deployment, at=old, ok=True, latency_ms=1)
    probe.record({
        deployment.pk: Checked(
            ok=False, message="The provider refused the key.", latency_ms=12, code="x"
        ),
        deployment.pk + 1: Checked(ok=True, message="Gone since.", latency_ms=1),
    })
    (found,) = Probe.objects.all()
    assert (found.ok, found.latency_ms, found.error_code) == (False, 12, "x")
    assert found.message == "The provider refused the key."


def test_work_runs_in_one_long_lived_loop() -> None:
    own = OwnLoop()

    async def which() -> int:
        return id(asyncio.get_running_loop())

    async def nothing() -> None:
        return None

    assert own.run(which(), 5) == own.run(which(), 5)
    own.stop(nothing())


def test_a_loop_that_never_ran_is_stopped_without_harm() -> None:
    async def nothing() -> None:
        return None

    OwnLoop().stop(nothing())


def test_work_that_takes_too_long_is_given_up() -> None:
    own = OwnLoop()

    async def nothing() -> None:
        return None

    with pytest.raises(TimeoutError):
        own.run(asyncio.Event().wait(), 0.01)
    own.stop(nothing())
