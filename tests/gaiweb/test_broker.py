"""Bells on files: sent and heard by threads that do not wait for each other."""

from __future__ import annotations

from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from gaiweb import broker


@pytest.fixture
def channel(tmp_path: Path) -> Any:
    folders = {
        "data_folder_in": str(tmp_path),
        "data_folder_out": str(tmp_path),
        "control_folder": str(tmp_path / "control"),
    }
    with Connection(transport=broker.Transport, transport_options=folders) as connection:
        yield connection.channel()


def test_nobody_reads_half_a_message(channel: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def read_before_it_is_written(path: Path, text: str) -> int:
        path.touch()
        with pytest.raises(Empty):
            channel._get("celery")
        return write(path, text)

    monkeypatch.setattr(Path, "write_text", read_before_it_is_written)
    channel._put("celery", {"bell": 1})
    assert channel._get("celery") == {"bell": 1}


def test_celery_rings_through_it() -> None:
    from gaiweb.celery import app

    with app.connection() as connection:
        assert isinstance(connection.transport, broker.Transport)
