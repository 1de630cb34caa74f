"""The configuration: what wins, what is refused, what is kept."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gaiweb import config

RING = "old:" + "A" * 43 + "="


def load(tmp_path: Path, **environ: str) -> config.Config:
    return config.load({"GAIWEB_DATA_DIR": str(tmp_path / "data"), **environ})


def faults_of(tmp_path: Path, **environ: str) -> dict[str, str]:
    with pytest.raises(config.ConfigInvalid) as caught:
        load(tmp_path, **environ)
    return {fault.name: str(fault) for fault in caught.value.faults}


def settings_file(tmp_path: Path, name: str, text: str) -> str:
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_nothing_needs_to_be_set(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.openai.model == "gpt-4o-mini"
    assert loaded.public_url == "http://127.0.0.1:8000"
    assert loaded.has_embedded_postgres
    assert loaded.providers_from_environment() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("c.yaml", "PORT: 9000\nopenai: {model: from-file, timeout: 5}\n"),
        ("c.toml", 'PORT = 9000\n[openai]\nmodel = "from-file"\ntimeout = 5\n'),
    ],
)
def test_the_environment_wins_over_the_file_and_the_file_over_defaults(
    tmp_path: Path, name: str, text: str
) -> None:
    path = settings_file(tmp_path, name, text)
    loaded = load(tmp_path, CONFIG_PATH=path, OPENAI_MODEL="from-environment")
    assert (loaded.port, loaded.openai.model, loaded.openai.timeout) == (
        9000,
        "from-environment",
        5.0,
    )
    assert loaded.openai.base_url == "https://api.openai.com/v1"
    assert loaded.source("OPENAI_MODEL") == "environment"
    assert loaded.source("PORT") == f"file {path}"
    assert loaded.source("HOST") == "default"


def test_all_faults_are_told_at_once_by_name_and_with_a_hint(tmp_path: Path) -> None:
    faults = faults_of(
        tmp_path,
        PORT="99999",
        OPENAI_TIMEOUT="-1",
        DATABASE_URL="mysql://somewhere/else",
        GAIWEB_BACKOFF_BASE_S="50",
        SECRET_KEY_FILE="/nowhere",
        CONFIG_PATH="/nowhere.yaml",
        FEATURE_ENABLE_TOOLS="perhaps",
        GAIWEB_TRUSTED_PROXIES="the internet",
    )
    assert set(faults) == {
        "PORT",
        "OPENAI_TIMEOUT",
        "DATABASE_URL",
        "GAIWEB_BACKOFF_MAX_S",
        "SECRET_KEY_FILE",
        "CONFIG_PATH",
        "FEATURE_ENABLE_TOOLS",
        "GAIWEB_TRUSTED_PROXIES",
    }
    assert "postgres://" in faults["DATABASE_URL"]
    assert "Its default is 8000" in faults["PORT"]


def test_a_fault_never_repeats_the_value(tmp_path: Path) -> None:
    faults = faults_of(tmp_path, SECRET_KEY="hunter2", DATABASE_URL="mysql://me:hunter2@there/x")
    assert "hunter2" not in str(faults)


def test_a_misspelt_name_in_the_file_is_told_with_the_nearest(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "c.yaml", "openai: {modell: x}\n")
    assert "OPENAI_MODEL?" in faults_of(tmp_path, CONFIG_PATH=path)["OPENAI_MODELL"]


def test_a_secret_may_come_from_a_file_but_not_from_two_places(tmp_path: Path) -> None:
    path = settings_file(tmp_path, "key", "sk-from-a-file\n")
    key = load(tmp_path, OPENAI_API_KEY_FILE=path).openai.api_key
    assert key is not None
    assert key.get_secret_value() == "sk-from-a-file"
    both = faults_of(tmp_path, OPENAI_API_KEY="sk-x", OPENAI_API_KEY_FILE=path)
    assert "OPENAI_API_KEY_FILE" in both


def test_an_empty_value_counts_as_unset(tmp_path: Path) -> None:
    assert load(tmp_path, OPENAI_API_KEY="", PORT="").providers_from_environment() == []


def test_keys_make_providers_in_the_order_of_fallback(tmp_path: Path) -> None:
    loaded = load(tmp_path, GROQ_API_KEY="g", OPENAI_API_KEY="o", OLLAMA_MODEL="qwen3")
    found = loaded.providers_from_environment()
    assert [each.name for each in found] == ["openai", "groq", "ollama"]
    assert [each.is_local for each in found] == [False, False, True]
    assert found[2].api_key is None


def test_secrets_are_generated_once_and_are_nobody_elses_to_read(tmp_path: Path) -> None:
    first, second = load(tmp_path), load(tmp_path)
    assert first.secret_key == second.secret_key
    assert first.key_ring == second.key_ring
    assert first.source("SECRET_KEY") == "generated"
    for name in ("secret_key", "key_ring"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) == 0o600


def test_a_given_key_ring_is_checked_and_no_file_is_made(tmp_path: Path) -> None:
    loaded = load(tmp_path, GAIWEB_KEY_RING=RING, SECRET_KEY="s" * 40)
    assert loaded.key_ring.get_secret_value() == RING
    assert not (tmp_path / "data").exists()
    assert "entry 2" in faults_of(tmp_path, GAIWEB_KEY_RING=f"{RING},new:AAAA")["GAIWEB_KEY_RING"]


def test_shown_values_hide_every_secret(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        OPENAI_API_KEY="sk-canary",
        DATABASE_URL="postgres://me:canary@db.example/app",
        GAIWEB_METRICS_TOKEN="canary-canary-canary",
    )
    shown = {entry.name: value for entry, value, _ in loaded.entries()}
    assert "canary" not in str(shown)
    assert "canary" not in repr(loaded)
    assert shown["DATABASE_URL"] == "postgres://db.example/app"


def test_the_public_url_decides_hosts_and_secure_cookies(tmp_path: Path) -> None:
    loaded = load(tmp_path, GAIWEB_PUBLIC_URL="https://ai.example.org/")
    assert loaded.is_https
    assert loaded.public_url == "https://ai.example.org"
    assert "ai.example.org" in loaded.allowed_hosts
    assert "GAIWEB_PUBLIC_URL" in faults_of(tmp_path, GAIWEB_PUBLIC_URL="https://x.org/sub")


def test_redis_is_the_broker_unless_another_is_named(tmp_path: Path) -> None:
    assert load(tmp_path).broker_url.startswith("filesystem")
    assert load(tmp_path, REDIS_URL="redis://r").broker_url == "redis://r"
    both = load(tmp_path, REDIS_URL="redis://r", CELERY_BROKER_URL="amqp://m")
    assert both.broker_url == "amqp://m"


def test_a_breaker_that_could_never_close_is_refused(tmp_path: Path) -> None:
    assert "GAIWEB_BREAKER_SUCCESSES" in faults_of(tmp_path, GAIWEB_BREAKER_PROBES="2")
