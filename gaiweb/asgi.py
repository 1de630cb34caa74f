"""The door: `/v1` as a plain ASGI application, all else Django."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gaiweb.settings")

application = get_asgi_application()
