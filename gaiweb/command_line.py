"""Every `manage.py` command: readable faults, and a database for those that need one."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import NoReturn

import django
from django.core.management import execute_from_command_line, get_commands

from gaiweb.config import BASE_DIR, ConfigInvalid
from gaiweb.embedded import places, postgres

_WITHOUT_DATABASE = {
    "", "help", "version", "--help", "--version", "-h", "up", "check", "makemigrations",
    "collectstatic", "findstatic", "diffsettings", "startapp", "startproject", "makemessages",
    "compilemessages", "sendtestemail", "testserver", "test",
}  # fmt: skip
_OWN_APPS = {"gaiweb", "providers", "conversations"}


def run(argv: list[str]) -> None:
    try:
        from django.conf import settings

        config = settings.GAIWEB
    except ConfigInvalid as invalid:
        words = f"The configuration cannot be used:\n{invalid}"
        if argv[1:2] == ["doctor"] and _is_found_without_file():
            sys.stderr.write(f"{words}\nThis is what there is without the settings file.\n\n")
            del os.environ["CONFIG_PATH"]
            run(argv)
            sys.exit(2)
        _give_up(words, 2)
    # A command has one thread: a pool would only wait for a server that does not answer.
    settings.DATABASES["default"]["OPTIONS"].pop("pool")
    name = argv[1] if len(argv) > 1 else ""
    needs_database = name not in _WITHOUT_DATABASE and not {"-h", "--help"} & set(argv)
    server: AbstractContextManager[object] = nullcontext()
    if needs_database and config.has_embedded_postgres:
        server = postgres.ensure(config.data_dir)
    try:
        with server:
            if needs_database:
                _prepare_tables(name, is_ours=config.has_embedded_postgres)
            execute_from_command_line(argv)
    except postgres.PostgresFailed as failure:
        _give_up(str(failure), 1)
    except KeyboardInterrupt:
        _give_up("Interrupted.", 130)
    except PermissionError as error:
        _give_up(f"{error.filename} may not be used by this user; it is another's.", 1)


def _is_found_without_file() -> bool:
    """Tell whether the database can be named without it: its processes know more than we do."""
    folder = Path(os.environ.get("GAIWEB_DATA_DIR") or BASE_DIR / ".gaiweb")
    has_database = "DATABASE_URL" in os.environ or places.cluster(folder).exists()
    return has_database and bool(os.environ.get("CONFIG_PATH"))


def _prepare_tables(name: str, *, is_ours: bool) -> None:
    """Let a script's first command work on a new database; a grown one of theirs is never moved."""
    django.setup()
    # Django's own command is named without its app, ours with it.
    if get_commands().get(name) not in _OWN_APPS or name == "doctor":
        return
    from django.db import OperationalError

    from gaiweb.embedded import schema

    try:
        if is_ours or schema.is_fresh():
            schema.migrate()
        elif missing := schema.pending():
            _give_up(f"The database lacks {missing[0]} and more. Run `manage.py migrate` first.", 1)
    except OperationalError as error:
        _give_up(f"The database does not answer: {error}".strip(), 1)


def _give_up(words: str, code: int) -> NoReturn:
    sys.stderr.write(f"{words}\n")
    sys.exit(code)
