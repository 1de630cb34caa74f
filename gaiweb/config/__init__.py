"""The product's configuration: environment over file over defaults, validated as a whole."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import ValidationError

from gaiweb.config import names, secrets
from gaiweb.config.faults import ConfigInvalid, Fault, from_pydantic
from gaiweb.config.model import BASE_DIR, Config
from gaiweb.config.providers import EnvironmentProvider
from gaiweb.config.sources import read

__all__ = [
    "BASE_DIR",
    "Config",
    "ConfigInvalid",
    "EnvironmentProvider",
    "Fault",
    "load",
]


def load(environ: Mapping[str, str] = os.environ) -> Config:
    """Read and validate every setting; secrets nobody gave are generated into the data directory.

    Raises `ConfigInvalid` with all faults at once.
    """
    readings = read(environ, names.declared(Config))
    try:
        config = Config(**readings.tree)
    except ValidationError as error:
        faults = from_pydantic(error, names.by_location(Config), readings.sources)
        raise ConfigInvalid([*readings.faults, *faults]) from None
    if readings.faults:
        raise ConfigInvalid(readings.faults)
    config.note_sources(readings.sources)
    return secrets.complete(config)
