"""docs/limits.md speaks only of settings and metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path

from gaiweb.config import Config
from gaiweb.config.names import declared

ROOT = Path(__file__).resolve().parents[2]


def test_every_setting_and_metric_it_names_exists() -> None:
    text = (ROOT / "docs" / "limits.md").read_text()
    settings = {entry.name for entry in declared(Config)}
    named = set(re.findall(r"`((?:GAIWEB|REDIS)_[A-Z_]+)`", text))
    assert len(named) > 10
    assert named <= settings
    metrics = (ROOT / "providers" / "metrics.py").read_text()
    for metric in re.findall(r"`(gai_[a-z_]+)`", text):
        assert f'"{metric}"' in metrics
