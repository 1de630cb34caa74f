from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from providers.engine.policy import FilterMode, NamedPattern, Policy, PredefinedAnswer
from providers.models import AuditEntry, TeamPolicy
from providers.policies import kept
from providers.policies.kept import PolicyFault
from tests.providers.people.conftest import World
from tests.providers.views.conftest import As

PAGE = "/settings/policies/"
ALL = ("email", "phone", "credit_card", "iban", "ssn", "ip_address", "api_key", "jwt")


def values(**more: Any) -> dict[str, Any]:
    return {
        "pii_input": "redact",
        "pii_output": "off",
        "pii_tools": "off",
        "pii_detectors": list(ALL),
        "hang_up": "abort",
        "drain_s": 60,
        "drain_usd": 1,
        "patterns-TOTAL_FORMS": 2,
        "patterns-INITIAL_FORMS": 0,
        "answers-TOTAL_FORMS": 1,
        "answers-INITIAL_FORMS": 0,
        **more,
    }


@pytest.fixture
def ada(world: World, as_user: As) -> Client:
    return as_user(world.ada)


def saved() -> TeamPolicy:
    return TeamPolicy.objects.get()


def test_a_policy_is_kept_whole_and_shown_again(world: World, ada: Client):
    sent = values(**{
        "pii_output": "block",
        "pii_allow": "help@example.org\n\n @ours.example \n",
        "patterns-0-name": "Case number",
        "patterns-0-pattern": r"ACME-\d{6}",
        "answers-0-match": "opening hours",
        "answers-0-answer": "From 9 to 5.",
        "simplified_below": "0.8",
        "essential_tokens": "150",
    })
    page = ada.post(PAGE, sent, follow=True).content.decode()

    assert kept.of_team(saved().team) == Policy(
        pii_input=FilterMode.REDACT,
        pii_output=FilterMode.BLOCK,
        pii_allow=("help@example.org", "@ours.example"),
        pii_patterns=(NamedPattern("Case number", r"ACME-\d{6}"),),
        answers=(PredefinedAnswer("opening hours", "From 9 to 5."),),
        simplified_below=0.8,
        essential_tokens=150,
    )
    assert "is in force" in page
    assert r"ACME-\d{6}" in page
    assert "From 9 to 5." in page


def test_a_detector_can_be_switched_off(ada: Client):
    ada.post(PAGE, values(pii_detectors=["email", "jwt"]))
    assert saved().pii_detectors == ["email", "jwt"]


def test_a_change_is_audited_and_allowed_finds_are_only_counted(ada: Client):
    ada.post(PAGE, values(pii_allow="alice@example.com"))
    entry = AuditEntry.objects.get(action="policy.changed")
    assert entry.after["pii_input"] == "redact"
    assert entry.before["pii_input"] == "off"
    assert "alice" not in str(entry.after)
    ada.post(PAGE, values(pii_allow="alice@example.com"))
    assert AuditEntry.objects.filter(action="policy.changed").count() == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"patterns-0-name": "Mine", "patterns-0-pattern": "("}, "RE2 cannot read"),
        ({"patterns-0-name": "", "patterns-0-pattern": "abc"}, "A name begins"),
        ({"patterns-0-name": "Mine", "patterns-0-pattern": ".*"}, "nothing at all"),
        ({"pii_detectors": []}, "Choose at least one"),
        ({"simplified_below": "0.5", "essential_below": "0.7"}, "0.7 is above 0.5"),
        ({"simplified_below": "0.3"}, "0.7 is above 0.3"),
        ({"simplified_below": "1.5"}, "less than or equal to 1"),
        ({"answers-0-match": "hours"}, "Write what to answer"),
    ],
)
def test_a_fault_is_said_and_nothing_is_saved(ada: Client, more: dict[str, Any], words: str):
    page = ada.post(PAGE, values(**more))
    assert page.status_code == 422
    assert words in page.content.decode()
    assert not TeamPolicy.objects.exists()


def test_two_patterns_of_one_name_are_refused():
    double = (NamedPattern("Mine", "ab"), NamedPattern("mine", "cd"))
    with pytest.raises(PolicyFault, match="named"):
        kept.check(Policy(pii_patterns=double))


def tried(client: Client, text: str, **more: Any) -> str:
    answer = client.post(f"{PAGE}try/", values(text=text, **more))
    assert answer.headers["Cache-Control"].startswith("max-age=0")
    return answer.content.decode()


def test_trying_shows_what_is_found_and_what_each_mode_does(ada: Client):
    shown = tried(ada, "Write to alice@example.com <now>")
    assert '<mark title="an e-mail address">alice@example.com' in shown
    assert "Write to [EMAIL_REDACTED] &lt;now&gt;" in shown
    assert "does not let this out: an e-mail address" in shown
    assert not TeamPolicy.objects.exists()


def test_trying_takes_the_form_as_it_stands(ada: Client):
    own = {"patterns-0-name": "Case number", "patterns-0-pattern": r"ACME-\d{6}"}
    assert "[CASE_NUMBER_REDACTED]" in tried(ada, "ACME-123456", **own)
    assert "Nothing found" in tried(ada, "ACME-123456")
    assert "Nothing found" in tried(ada, "a@example.com", pii_allow="@example.com")
    assert "RE2 cannot read" in tried(
        ada, "x", **{"patterns-0-name": "Mine", "patterns-0-pattern": "("}
    )


def test_a_text_that_is_tried_is_in_no_log(ada: Client, caplog: pytest.LogCaptureFixture):
    tried(ada, "alice@example.com")
    assert "alice@example.com" not in caplog.text


def test_team_admins_set_the_policy_of_their_own_team_and_others_none(world: World, as_user: As):
    assert as_user(world.ben).post(PAGE, values()).status_code == 302
    assert saved().team == world.search
    as_user(world.cleo).post(PAGE, values(pii_input="block"))
    assert TeamPolicy.objects.get(team=world.billing).pii_input == "block"
    assert TeamPolicy.objects.get(team=world.search).pii_input == "redact"
    for person in (world.mia, world.vic, world.otto):
        assert as_user(person).get(PAGE).status_code == 403
        assert as_user(person).post(f"{PAGE}try/", values(text="x")).status_code == 403


def test_what_becomes_of_an_answer_whose_caller_has_gone_is_kept_with_its_bounds(ada: Client):
    sent = values(hang_up="drain", drain_s="90", drain_usd="0.25")
    page = ada.post(PAGE, sent, follow=True).content.decode()
    policy = kept.of_team(saved().team)
    assert (policy.hang_up, policy.drain_s, policy.drain_nano) == ("drain", 90, 250_000_000)
    assert "Read it to its end" in page
    entry = AuditEntry.objects.get(action="policy.changed")
    assert entry.after == {
        "pii_input": "redact",
        "hang_up": "drain",
        "drain_s": 90,
        "drain_usd": "0.25",
    }


def test_an_answer_cannot_be_read_on_beyond_the_deadline_of_its_hold(ada: Client):
    assert ada.post(PAGE, values(hang_up="drain", drain_s="900")).status_code == 422
    assert not TeamPolicy.objects.exists()
