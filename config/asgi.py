"""The web process's entry: `uvicorn config.asgi:application`."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from config.bodies import Bounded, Bounds

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Each request has its own thread here, so connections are pooled; commands and workers keep one.
os.environ.setdefault("DATABASE_POOL", "on")

application = Bounded(
    get_asgi_application(),
    Bounds(bytes_max=settings.REQUEST_BYTES_MAX, seconds=settings.REQUEST_SECONDS),
)
