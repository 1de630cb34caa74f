"""What never reaches a log line."""

from __future__ import annotations

import pytest

from gaiweb.telemetry import redact

CANARY = "canary0123456789abcdef"


@pytest.mark.parametrize(
    "event",
    [
        {"event": "x", "api_key": CANARY},
        {"event": "x", "headers": {"Authorization": f"Bearer {CANARY}"}},
        {"event": "x", "cookies": ["a"], "set-cookie": CANARY},
        {"event": f"refused sk-proj-{CANARY}"},
        {"event": f"key gai_{CANARY} is unknown"},
        {"event": "connecting", "url": f"postgres://me:{CANARY}@db/app"},
        {"event": "GET", "path": f"/setup/{CANARY}/"},
        {"event": "failed", "exception": f"Traceback ...\nValueError: Bearer {CANARY}"},
        {"event": "x", "items": [{"password": CANARY}]},
    ],
)
def test_a_secret_is_masked_by_its_name_or_by_its_look(event: dict[str, object]) -> None:
    assert CANARY not in str(redact(None, "info", event))


def test_plain_words_and_token_counts_stay() -> None:
    event = {"event": "settled", "input_tokens": 12, "path": "/setup/", "model": "gpt-4o-mini"}
    assert redact(None, "info", event) == event
