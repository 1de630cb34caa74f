"""Who Postgres runs as: ourselves, or `nobody` when we are root, which it refuses."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from pathlib import Path
from typing import Any

_NOBODY = "nobody"


def prefix() -> list[str]:
    """Words before a command of Postgres.

    As `nobody` it keeps one capability, so that it can work inside folders that only root may
    enter, with no new user and no chmod. It dies with the keeper that started it.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return []
    if os.geteuid() != 0:
        return [setpriv, "--pdeathsig=INT", "--"]
    user = pwd.getpwnam(_NOBODY)
    return [
        setpriv,
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--inh-caps=-all,+dac_override",
        "--ambient-caps=-all,+dac_override",
        "--bounding-set=-all,+dac_override",
        "--securebits=+no_setuid_fixup",
        "--no-new-privs",
        "--pdeathsig=INT",
        "--",
    ]


def give(folder: Path) -> None:
    """Make `folder` the one that Postgres insists on owning."""
    if os.geteuid() == 0:
        user = pwd.getpwnam(_NOBODY)
        os.chown(folder, user.pw_uid, user.pw_gid)


def remove_tree(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def as_json(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments)
