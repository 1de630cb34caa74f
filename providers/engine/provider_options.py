"""What a caller wants said to one provider alone, in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from providers.engine.request import CompletionRequest
from providers.engine.routes import Deployment

Body = dict[str, Any]


def merge_options(body: Body, request: CompletionRequest, deployment: Deployment) -> None:
    """Put them into the body: objects are joined, lists grow, anything else is replaced.

    Those for the kind come first, those for the provider by its name win. An adapter writes its
    bound of the output afterwards: no option may outgrow what the budgets hold.
    """
    for name in (deployment.kind, deployment.provider):
        body.update(_merged(body, request.provider_options.get(name, {})))


def _merged(known: Mapping[str, Any], more: Mapping[str, Any]) -> Body:
    """Join them into a new object: the old one may hold a schema of the caller's."""
    made = dict(known)
    for name, value in more.items():
        old = known.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            made[name] = _merged(cast("Mapping[str, Any]", old), cast("Mapping[str, Any]", value))
        elif isinstance(old, list) and isinstance(value, list):
            made[name] = [*cast("list[object]", old), *cast("list[object]", value)]
        else:
            made[name] = value
    return made
