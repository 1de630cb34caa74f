"""The product's settings for tests: nothing of the developer's own environment reaches them.

Only DATABASE_URL counts: a server of one's own instead of the embedded one. A server process that
a test starts also keeps the names that the test lists in GAIWEB_TEST_KEEPS.
"""

import os
from pathlib import Path

from gaiweb.config import Config, names

_kept = {"DATABASE_URL", *os.environ.get("GAIWEB_TEST_KEEPS", "").split(",")}
for _entry in names.declared(Config):
    if _entry.name not in _kept:
        os.environ.pop(_entry.name, None)
    os.environ.pop(f"{_entry.name}_FILE", None)
os.environ["ENVIRONMENT"] = "test"
# Kept between runs, so that only the first one makes a cluster.
os.environ["GAIWEB_DATA_DIR"] = str(Path(__file__).resolve().parent.parent / ".gaiweb" / "tests")

from gaiweb.settings import *  # noqa: E402, F403 - the environment had to be set first

# Pages are served straight from the sources; `manage.py up` collects them under hashed names.
STORAGES["staticfiles"] = {  # noqa: F405
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
SERVESTATIC_USE_FINDERS = True
SERVESTATIC_AUTOREFRESH = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
