"""Presets: every one leads to an adapter that reads each of its options."""

from __future__ import annotations

from pathlib import Path

import pytest

from providers.engine.adapters.openai_chat.quirks import Quirks
from providers.engine.presets import PRESETS, choices, kind_of, preset_of
from providers.engine.request import Effort
from providers.engine.routes import KINDS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_speaks_a_known_wire_and_has_no_option_that_nothing_reads(name: str) -> None:
    preset = PRESETS[name]
    assert preset.kind in KINDS
    assert preset.base_url.startswith("http://" if preset.is_local else "https://")
    assert preset.needs_key is not preset.is_local
    known = set(Quirks.__slots__) if preset.kind == "openai_chat" else set()
    assert set(preset.options) <= known


def test_an_operator_may_name_a_wire_or_a_vendor() -> None:
    assert set(choices()) == set(KINDS) | set(PRESETS)
    assert kind_of("groq") == kind_of("openai_chat") == "openai_chat"
    assert kind_of("anthropic") == "anthropic_messages"


def test_a_provider_of_before_there_were_presets_is_known_by_its_address() -> None:
    assert preset_of("", "openai_chat", "https://api.groq.com/openai/v1") is PRESETS["groq"]
    assert preset_of("", "openai_chat", "") is PRESETS["openai"]
    assert preset_of("", "anthropic_messages", "") is PRESETS["anthropic"]


def test_a_server_that_nobody_knows_has_no_quirks() -> None:
    bare = preset_of("", "openai_chat", "http://localhost:8000/v1")
    assert (bare.kind, bare.options, bare.needs_key) == ("openai_chat", {}, True)
    assert preset_of("", "anthropic_messages", "https://api.groq.com/openai/v1").options == {}
    assert preset_of("", "openai_chat", "https://[").options == {}


def test_a_preset_keeps_its_quirks_at_another_address() -> None:
    assert preset_of("mistral", "openai_chat", "https://proxy.example") is PRESETS["mistral"]


@pytest.mark.parametrize(
    ("efforts", "wanted", "level"),
    [
        ("", Effort.MINIMAL, "minimal"),
        ("none,low,medium,high", Effort.MINIMAL, "low"),
        ("none,high", Effort.LOW, "high"),
        ("none,low,high", Effort.MEDIUM, "low"),
        ("low,high", Effort.NONE, "low"),
    ],
)
def test_an_effort_becomes_the_nearest_that_is_known_and_never_none_by_chance(
    efforts: str, wanted: Effort, level: str
) -> None:
    assert Quirks(efforts=efforts).nearest(wanted) == level


def test_the_readme_names_all_that_an_operator_may_choose() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    assert [name for name in choices() if f"`{name}`" not in readme] == []
