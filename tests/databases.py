"""Databases for tests: copies of one that was migrated once, which takes ten seconds a time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from django.conf import settings
from psycopg import sql

ROOT = Path(__file__).resolve().parents[1]
_TEMPLATES = "gaiweb_template_"
_ONE_AT_A_TIME = 7_201_126


def address(database: str) -> str:
    """`DATABASE_URL` of a database beside the configured one; a socket's folder is a host too."""
    ours = settings.DATABASES["default"]
    user, password = quote(ours["USER"] or ""), quote(ours["PASSWORD"] or "")
    host = quote(ours["HOST"] or "", safe="")
    port = f":{ours['PORT']}" if ours["PORT"] else ""
    return f"postgres://{user}{':' + password if password else ''}@{host}{port}/{database}"


@contextmanager
def copied(label: str) -> Iterator[str]:
    """Answer the name of a fresh migrated database; it is gone at the end."""
    name = f"test_gaiweb_{label}_{os.getpid()}"
    with _server() as server:
        template = _template(server)
        server.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))
        server.execute(_sql("CREATE DATABASE {} TEMPLATE {}", name, template))
    try:
        yield name
    finally:
        with _server() as server:
            server.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def forget_templates() -> None:
    """Leave nothing on a server that is not ours alone."""
    with _server() as server:
        _drop(server, _templates(server))


def _template(server: psycopg.Connection[Any]) -> str:
    """Name the template of these migrations, made if it is not there; those of others go."""
    name = f"{_TEMPLATES}{_digest_of_migrations()}"
    server.execute("SELECT pg_advisory_lock(%s)", [_ONE_AT_A_TIME])
    try:
        there = _templates(server)
        if name not in there:
            _drop(server, there)
            making = f"{name}_"
            server.execute(_sql("CREATE DATABASE {}", making))
            _migrate(making)
            server.execute(_sql("ALTER DATABASE {} RENAME TO {}", making, name))
    finally:
        server.execute("SELECT pg_advisory_unlock(%s)", [_ONE_AT_A_TIME])
    return name


def _migrate(database: str) -> None:
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
        cwd=ROOT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": address(database),
        },
        check=True,
    )


def _digest_of_migrations() -> str:
    files = [*ROOT.glob("*/migrations/*.py"), ROOT / "requirements.txt"]
    parts = (hashlib.sha256(file.read_bytes()).digest() for file in sorted(files))
    return hashlib.sha256(b"".join(parts)).hexdigest()[:12]


@contextmanager
def _server() -> Iterator[psycopg.Connection[Any]]:
    ours = settings.DATABASES["default"]
    known = {
        "user": ours["USER"],
        "password": ours["PASSWORD"],
        "host": ours["HOST"],
        "port": ours["PORT"],
    }
    with psycopg.connect(
        dbname="postgres", autocommit=True, **{k: v for k, v in known.items() if v}
    ) as server:
        yield server


def _templates(server: psycopg.Connection[Any]) -> list[str]:
    rows = server.execute(
        "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [_TEMPLATES]
    )
    return [name for (name,) in rows]


def _drop(server: psycopg.Connection[Any], names: list[str]) -> None:
    for name in names:
        server.execute(_sql("DROP DATABASE IF EXISTS {} WITH (FORCE)", name))


def _sql(statement: str, *names: str) -> sql.Composed:
    return sql.SQL(statement).format(*map(sql.Identifier, names))  # type: ignore[arg-type]
