"""The web process's entry: `uvicorn config.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Each request has its own thread here, so connections are pooled; commands and workers keep one.
os.environ.setdefault("DATABASE_POOL", "on")

application = get_asgi_application()
