"""The web process's entry: `uvicorn config.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Each request has its own thread here, so connections are pooled; commands and workers keep one.
os.environ.setdefault("DATABASE_POOL", "on")

site = get_asgi_application()

# What these import knows the apps, and those are ready only now.
from django.conf import settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from config.bodies import Bounded, Bounds  # noqa: E402
from config.mcp import Endpoint  # noqa: E402

uploads = Bounds(bytes_max=settings.UPLOAD_BYTES_MAX, seconds=settings.UPLOAD_SECONDS)
application = Bounded(
    Endpoint(site),
    Bounds(bytes_max=settings.REQUEST_BYTES_MAX, seconds=settings.REQUEST_SECONDS),
    {reverse("training:new_dataset"): uploads, reverse("training:api_datasets"): uploads},
)
