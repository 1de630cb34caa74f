"""The product's settings for tests: nothing of the developer's own environment reaches them.

Only DATABASE_URL counts: a server of one's own instead of the embedded one.
"""

import os
from pathlib import Path

_PREFIXES = ("OPENAI_", "ANTHROPIC_", "GROQ_", "GEMINI_", "OLLAMA_", "FEATURE_", "GAIWEB_")
_NAMES = {"CONFIG_PATH", "REDIS_URL", "CELERY_BROKER_URL", "HOST", "PORT", "ALLOWED_HOSTS"}

for _name in list(os.environ):
    if (_name in _NAMES or _name.startswith(_PREFIXES)) and _name != "GAIWEB_CI":
        del os.environ[_name]
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
