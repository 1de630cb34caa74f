"""docs/metrics.md, written from the registry by `make docs`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "docs" / "metrics.md"

_HEAD = """# Metrics

Made by `make docs` from `providers/metrics.py`.

`/metrics` speaks Prometheus; it answers on this machine, and with the bearer token of
`GAIWEB_METRICS_TOKEN` from anywhere. Requests of pages are counted beside these, by
django-prometheus (`django_http_*`). Labels hold names of the catalog and codes, never a caller's
text; `provider` and `model` are those of the deployment. Under `manage.py up` one scrape answers
for all processes.

| name | kind | labels | meaning |
|---|---|---|---|
"""


def rendered() -> str:
    return _HEAD + "".join(f"{line}\n" for line in sorted(map(_line, ours())))


def ours() -> list[Any]:
    """List the collectors of `providers.metrics`."""
    from prometheus_client.metrics import MetricWrapperBase

    from providers import metrics

    found = {each for each in vars(metrics).values() if isinstance(each, MetricWrapperBase)}
    # A child of labels that was kept for speed is no collector of its own.
    return [each for each in found if not each._labelvalues]


def _line(collector: Any) -> str:
    kind = collector._type
    name = f"{collector._name}_total" if kind == "counter" else collector._name
    labels = ", ".join(f"`{label}`" for label in collector._labelnames)
    bounds = getattr(collector, "_kwargs", {}).get("buckets")
    buckets = f" Buckets: {', '.join(f'{bound:g}' for bound in bounds)}." if bounds else ""
    return f"| `{name}` | {kind} | {labels} | {collector._documentation}{buckets} |"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PLACE.write_text(rendered())
