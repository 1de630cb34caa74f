"""A running process follows its settings file, in every way in which files are replaced."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from gaiweb import config
from gaiweb.config.following import follow
from gaiweb.hot_reload import HotReload, InForce
from gaiweb.slot import Subscriber

EVERY_S = 0.02
STEADY_S = 10 * EVERY_S
"""Long enough for several looks: what has not been taken by then is not taken."""


def eventually(what: Callable[[], Any], within_s: float = 5.0) -> None:
    until = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < until, "it did not come true in time"
        time.sleep(EVERY_S / 4)


class Process:
    """One that runs by a settings file."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.environ = {"GAIWEB_DATA_DIR": str(folder / "data"), "CONFIG_PATH": str(path)}
        self.published: list[InForce] = []
        self.adopted: list[config.Config] = []
        self.reload = HotReload(
            config.load(self.environ), self.adopted.append, self.environ, EVERY_S
        )
        self.reload.subscribe(self.published.append)

    @property
    def threshold(self) -> int:
        return self.reload.in_force.config.calls.breaker_threshold

    @property
    def fault(self) -> str:
        return self.reload.in_force.fault

    def waits(self) -> None:
        time.sleep(STEADY_S)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "etc" / "gaiweb.yaml"
    path.parent.mkdir()
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 3\n")
    return path


@pytest.fixture
def process(tmp_path: Path, path: Path) -> Iterator[Process]:
    process = Process(tmp_path, path)
    process.reload.start()
    yield process
    process.reload.stop()


def test_a_file_that_is_edited_in_place_is_followed(process: Process, path: Path) -> None:
    before = process.reload.in_force
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\n")
    eventually(lambda: process.threshold == 7)
    after = process.reload.in_force
    assert after.version not in {"", before.version}
    assert after.loaded_at > before.loaded_at
    assert not after.fault
    assert process.adopted[-1] is after.config
    eventually(lambda: process.published and process.published[-1] == after)


def test_a_file_that_is_renamed_over_the_old_one_is_followed(process: Process, path: Path) -> None:
    new = path.with_suffix(".new")
    new.write_text("GAIWEB_BREAKER_THRESHOLD: 8\n")
    # As old as the one before: only the inode and the content tell them apart.
    os.utime(new, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    new.replace(path)
    eventually(lambda: process.threshold == 8)


def test_a_link_that_is_swapped_is_followed(tmp_path: Path) -> None:
    """As Kubernetes changes a mounted ConfigMap."""
    mount = tmp_path / "etc"
    for version, threshold in (("..1", 3), ("..2", 9)):
        (mount / version).mkdir(parents=True)
        (mount / version / "c.yaml").write_text(f"GAIWEB_BREAKER_THRESHOLD: {threshold}\n")
    (mount / "..data").symlink_to("..1")
    (mount / "c.yaml").symlink_to("..data/c.yaml")
    process = Process(tmp_path, mount / "c.yaml")
    process.reload.start()
    try:
        (mount / "..new").symlink_to("..2")
        (mount / "..new").replace(mount / "..data")
        eventually(lambda: process.threshold == 9)
    finally:
        process.reload.stop()


def test_a_broken_file_changes_nothing_and_is_told_with_its_line(
    process: Process, path: Path
) -> None:
    before = process.reload.in_force
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\nPORT: 1\nOPENAI_API_KEY: sk-canary: x\n")
    eventually(lambda: process.fault)
    assert "line 3" in process.fault
    assert "canary" not in process.fault
    assert process.reload.in_force.config is before.config
    assert process.reload.in_force.version == before.version
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\n")
    eventually(lambda: process.threshold == 7)
    assert not process.fault


def test_a_file_with_one_wrong_value_changes_nothing_at_all(process: Process, path: Path) -> None:
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\nGAIWEB_BACKOFF_BASE_S: -1\n")
    eventually(lambda: "GAIWEB_BACKOFF_BASE_S" in process.fault)
    assert process.threshold == 3


def test_a_half_written_file_is_left_alone_until_it_is_complete(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, path)
    with path.open("w") as file:
        for letter in "GAIWEB_BREAKER_THRESHOLD: 12\nFEATURE_ENABLE_TOOLS: false\n":
            file.write(letter)
            file.flush()
            process.reload.look()
            assert process.threshold == 3
            assert not process.fault
    process.reload.look()
    assert process.threshold == 12
    assert not process.reload.in_force.config.features.enable_tools


def test_a_file_that_stays_half_written_is_broken(process: Process, path: Path) -> None:
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 1\nopenai: {model: gpt-")
    eventually(lambda: "line 2" in process.fault)
    assert process.threshold == 3


def test_a_file_that_was_emptied_or_is_gone_changes_nothing(process: Process, path: Path) -> None:
    path.write_text("")
    eventually(lambda: "is empty" in process.fault)
    path.unlink()
    eventually(lambda: "cannot be used" in process.fault)
    assert process.threshold == 3


def test_the_environment_still_wins(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, path)
    process.environ["GAIWEB_BREAKER_THRESHOLD"] = "4"
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\nGAIWEB_BREAKER_VOLUME: 9\n")
    process.reload.look()
    process.reload.look()
    assert process.threshold == 4
    assert process.reload.in_force.config.calls.breaker_volume == 9
    assert process.reload.in_force.config.source("GAIWEB_BREAKER_THRESHOLD") == "environment"


def test_what_only_a_start_can_take_is_said_to_wait(process: Process, path: Path) -> None:
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\nPORT: 9001\n")
    eventually(lambda: process.threshold == 7)
    assert process.reload.in_force.waiting == ("PORT",)
    assert process.reload.in_force.config.port == 8000
    assert process.reload.in_force.config.source("PORT") == "default"
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\n")
    eventually(lambda: not process.reload.in_force.waiting)


def test_a_secret_in_a_file_of_its_own_is_followed(tmp_path: Path, path: Path) -> None:
    process = Process(tmp_path, path)
    secret = tmp_path / "key"
    secret.write_text("sk-old")
    process.environ["OPENAI_API_KEY_FILE"] = str(secret)
    reload = HotReload(config.load(process.environ), lambda _: None, process.environ, EVERY_S)
    secret.write_text("sk-new")
    reload.look()
    reload.look()
    key = reload.in_force.config.openai.api_key
    assert key is not None
    assert key.get_secret_value() == "sk-new"


def test_a_change_between_the_load_and_the_first_look_is_not_missed(
    tmp_path: Path, path: Path
) -> None:
    environ = {"GAIWEB_DATA_DIR": str(tmp_path / "data"), "CONFIG_PATH": str(path)}
    loaded = config.load(environ)
    path.write_text("GAIWEB_BREAKER_THRESHOLD: 7\n")
    reload = HotReload(loaded, lambda _: None, environ, EVERY_S)
    reload.start()
    eventually(lambda: reload.in_force.config.calls.breaker_threshold == 7)
    reload.stop()


def test_an_unchanged_configuration_is_published_to_nobody(process: Process, path: Path) -> None:
    os.utime(path)
    process.waits()
    assert not process.published


def test_a_slow_subscriber_gets_the_newest_and_skips_what_it_missed() -> None:
    may_go, got = threading.Event(), []

    def apply(value: int) -> None:
        got.append(value)
        assert may_go.wait(5)

    subscriber: Subscriber[int] = Subscriber(apply, None)
    subscriber.start()
    subscriber.put(1)
    eventually(lambda: got == [1])
    subscriber.put(2)
    subscriber.put(3)
    may_go.set()
    eventually(lambda: got == [1, 3])
    subscriber.stop()


def test_what_fails_for_a_while_is_tried_again_with_the_newest() -> None:
    got: list[int] = []

    def apply(value: int) -> None:
        got.append(value)
        if len(got) < 3:
            raise OperationalError

    subscriber: Subscriber[int] = Subscriber(apply, None, retry_s=0.01)
    subscriber.put(1)
    subscriber.start()
    eventually(lambda: got == [1, 1, 1])
    time.sleep(0.05)
    assert len(got) == 3
    subscriber.stop()


def test_following_takes_live_settings_only(tmp_path: Path) -> None:
    data = {"GAIWEB_DATA_DIR": str(tmp_path)}
    old = config.load(data)
    new = config.load({**data, "OPENAI_MODEL": "gpt-x", "HOST": "0.0.0.0", "SECRET_KEY": "x" * 40})
    found = follow(old, new)
    assert found.changed == ("OPENAI_MODEL",)
    assert set(found.waiting) == {"HOST", "SECRET_KEY"}
    assert found.config.openai.model == "gpt-x"
    assert found.config.openai.base_url == old.openai.base_url
    assert old.openai.model == "gpt-4o-mini"
