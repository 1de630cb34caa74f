from __future__ import annotations

import pytest

from providers.engine.failures import Complaint, by_status, retry_after_s

DATE = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "7", "retry-after-ms": "1500"}, 1.5),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:42 GMT", "date": DATE}, 42),
        ({"retry-after": "Sun, 22 Nov 2026 09:00:00 GMT", "date": DATE}, 0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:42 GMT"}, None),
    ],
)
def test_a_wait_is_read_in_every_form_it_comes_in(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers) == seconds


@pytest.mark.parametrize("status", [408, 429, 500, 503, 529])
def test_no_wait_is_made_up_which_would_make_backoff_dead_code(status: int) -> None:
    complaint = Complaint("openai/gpt", status, "Later.", headers={}, secret=None)
    assert complaint.become(by_status(status)).retry_after_s is None
