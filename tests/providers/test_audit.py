"""Nothing in the audit log can be changed, and a change that was forced is found."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command
from django.db import InternalError, ProgrammingError, connection, transaction

from providers import audit
from providers.models import AuditEntry, User


@pytest.fixture
def three(ada: User) -> list[AuditEntry]:
    return [
        audit.write(ada, "level.override", "all", before={"level": "full"}, after=None),
        audit.write(None, "policy.change", "team builders", after={"cap": 300, "share": 0.7}),
        audit.write(ada, "breaker.force", "openai/gpt", reason="Their status page says so."),
    ]


def forced(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE providers_auditentry DISABLE TRIGGER gaiweb_keep_audit")
        cursor.execute(statement)


def test_each_row_carries_the_digest_of_the_one_before(three: list[AuditEntry]) -> None:
    first, second, third = AuditEntry.objects.order_by("id")
    assert bytes(first.previous) == audit.FIRST
    assert bytes(second.previous) == bytes(first.digest)
    assert bytes(third.previous) == bytes(second.digest)
    assert audit.verify() == audit.Verdict(3)


@pytest.mark.parametrize("how", ["update", "delete"])
def test_the_database_itself_refuses_to_change_a_row(three: list[AuditEntry], how: str) -> None:
    rows = AuditEntry.objects.filter(pk=three[1].pk)
    change = {"update": lambda: rows.update(reason="Another."), "delete": rows.delete}[how]
    with (
        pytest.raises((InternalError, ProgrammingError), match="only added to"),
        transaction.atomic(),
    ):
        change()


@pytest.mark.parametrize(
    "column",
    ["reason = 'x'", "actor = 'x'", "after = '{}'", "at = at + interval '1 s'", "user_id = 7"],
)
def test_an_altered_row_is_found(three: list[AuditEntry], column: str) -> None:
    forced(f"UPDATE providers_auditentry SET {column} WHERE id = {three[1].pk}")
    assert audit.verify() == audit.Verdict(1, three[1].pk)


def test_a_row_taken_out_of_the_middle_is_found(three: list[AuditEntry]) -> None:
    forced(f"DELETE FROM providers_auditentry WHERE id = {three[1].pk}")
    assert audit.verify() == audit.Verdict(1, three[2].pk)


def test_a_deed_that_is_rolled_back_leaves_no_row(ada: User) -> None:
    def override() -> None:
        with transaction.atomic():
            audit.write(ada, "level.override", "all")
            raise ValueError("a fault later in the same transaction")

    with pytest.raises(ValueError, match="later"):
        override()
    assert not AuditEntry.objects.exists()


def test_the_command_says_whether_the_chain_is_whole(three: list[AuditEntry]) -> None:
    out = StringIO()
    call_command("audit", "verify", stdout=out)
    assert "whole: 3 entries" in out.getvalue()
    forced(f"UPDATE providers_auditentry SET reason = 'x' WHERE id = {three[2].pk}")
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("audit", "verify", "--json", stdout=out)
    assert f'"broken_at": {three[2].pk}' in out.getvalue()
