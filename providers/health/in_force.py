"""From a level to what it means for one team's prompts, and which fast route is fit for it."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from providers.catalog.snapshot import Catalog
from providers.engine.levels import FULL, InForce, Level
from providers.engine.policy import Policy
from providers.engine.routes import Deployment, Route


@dataclass(frozen=True, slots=True)
class Caps:
    """What the installation has for teams that want nothing else. Caps in tokens."""

    simplified_tokens: int = 500
    essential_tokens: int = 200
    fast_route: str = ""
    retry_after_s: float = 30.0

    def of(self, policy: Policy) -> Caps:
        """Give a team's own: what it has not set is as for all."""
        return Caps(
            simplified_tokens=policy.simplified_tokens or self.simplified_tokens,
            essential_tokens=policy.essential_tokens or self.essential_tokens,
            fast_route=policy.fast_route or self.fast_route,
            retry_after_s=self.retry_after_s,
        )


def in_force(
    level: Level, score: float | None, policy: Policy, caps: Caps, fast: Route | None
) -> InForce:
    """Put together what the step goes by; `caps` are the team's."""
    if level is Level.FULL:
        return FULL
    tokens = {
        Level.SIMPLIFIED: caps.simplified_tokens,
        Level.ESSENTIAL: caps.essential_tokens,
    }
    return InForce(
        level=level,
        score=score,
        output_cap=tokens.get(level),
        fast=fast,
        answers=policy.answers,
        retry_after_s=caps.retry_after_s,
    )


def fast_route(name: str, catalog: Catalog, unfit: Container[int]) -> Route | None:
    """Find a route or a `provider/model` of that name; None: nothing of it is fit.

    `unfit` are the ids of deployments that do badly.
    """
    found = catalog.routes.get(name) or _alone(name, catalog)
    if found is None:
        return None
    fit = tuple(each for each in found.deployments if each.id not in unfit)
    return Route(found.name, fit) if fit else None


def _alone(name: str, catalog: Catalog) -> Route | None:
    named: list[Deployment] = [each for each in catalog.deployments.values() if each.name == name]
    return Route(name, tuple(named)) if named else None
