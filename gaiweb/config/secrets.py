"""Values that depend on others or that are generated once and then kept."""

from __future__ import annotations

import base64
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from gaiweb.config.faults import ConfigInvalid, Fault
from gaiweb.config.model import Config, embedded_url
from gaiweb.embedded import places

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound


def complete(config: Config) -> Config:
    """Fill what nobody set: addresses from one another, secrets from the data directory."""
    config = _with_addresses(config)
    try:
        return _with_secrets(config)
    except OSError as error:
        fault = Fault("GAIWEB_DATA_DIR", f"({config.data_dir}) cannot be used: {error.strerror}")
        raise ConfigInvalid([fault]) from error


def _with_addresses(config: Config) -> Config:
    if not config.public_url:
        host = "127.0.0.1" if config.host in _EVERYWHERE else config.host
        shown = f"[{host}]" if ":" in host else host
        config = config.with_values("default", public_url=f"http://{shown}:{config.port}")
    if not config.allowed_hosts:
        own = {urlsplit(config.public_url).hostname or "", config.host} - {"", *_EVERYWHERE}
        named = tuple(f"[{host}]" if ":" in host else host for host in sorted(own))
        hosts = tuple(dict.fromkeys([*_LOOPBACK, *named]))
        config = config.with_values("default", allowed_hosts=hosts)
    if not config.database_url:
        url = embedded_url(places.socket_dir(config.data_dir))
        config = config.with_values("embedded", database_url=url)
    return config


def _with_secrets(config: Config) -> Config:
    if not config.secret_key.get_secret_value():
        text = kept(config.data_dir / "secret_key", lambda: secrets.token_urlsafe(48))
        config = config.with_values("generated", secret_key=SecretStr(text))
    if not config.key_ring.get_secret_value():
        text = kept(config.data_dir / "key_ring", _new_ring)
        config = config.with_values("generated", key_ring=SecretStr(text))
    return config


def kept(path: Path, generate: Callable[[], str]) -> str:
    """Read the secret at `path`, or make it; of two processes that start at once one wins."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w") as file:
            file.write(generate())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            Path(draft).unlink()
    return path.read_text().strip()


def _new_ring() -> str:
    return f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"
