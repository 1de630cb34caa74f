"""Which process runs by which version of the settings file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from providers import processes
from providers.processes import Report

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def report(pid: int, version: str = "aa", fault: str = "", waiting: tuple[str, ...] = ()) -> Report:
    return Report("web", "host", pid, version, NOW, fault, waiting)


def test_two_of_three_run_the_version_on_disk() -> None:
    processes.report(report(1, "new"), NOW)
    processes.report(report(2, "new"), NOW)
    processes.report(report(3, "old", fault="PORT is broken."), NOW)
    found = processes.agreement("new", NOW)
    assert found.words == "2 of 3 processes run this version"
    assert not found.is_complete
    assert found.faults == ["PORT is broken."]


def test_a_process_has_one_row_and_it_says_the_newest() -> None:
    processes.report(report(1, "old", fault="broken"), NOW)
    processes.report(report(1, "new", waiting=("PORT",)), NOW)
    found = processes.agreement("new", NOW)
    assert found.words == "The only process runs this version"
    assert (found.faults, found.waiting) == ([], ["PORT"])


def test_who_ended_or_fell_silent_is_counted_no_more() -> None:
    processes.report(report(1), NOW - timedelta(minutes=1))
    processes.report(report(2), NOW)
    processes.report(report(3), NOW)
    processes.forget("host", 3)
    assert [each.pid for each in processes.agreement("aa", NOW).processes] == [2]


def test_without_a_file_there_is_nothing_to_agree_on() -> None:
    processes.report(report(1, ""), NOW)
    assert processes.agreement("", NOW).words == "1 process, without a settings file"


def test_who_cannot_read_the_file_still_tells_by_which_version_others_run() -> None:
    processes.report(report(1, "new"), NOW)
    processes.report(report(2, "old"), NOW)
    assert processes.agreement("", NOW).words == "2 processes, at version new and old"
