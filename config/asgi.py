"""The web process's entry: `uvicorn config.asgi:application`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup(set_prefix=False)

# What these import knows the apps, and those are ready only now.
from django.conf import settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from config.bodies import Bounded, Bounds  # noqa: E402
from config.mcp import Endpoint  # noqa: E402
from config.threads import Lanes, Threads  # noqa: E402

lanes = Lanes(
    most=settings.PREDICTIONS_MAX,
    most_of_one=settings.PREDICTIONS_OF_ONE_MODEL_MAX,
    threads_of_one=max(1, settings.WEB_THREADS * 2 // 3),
)
site = Threads(threads=settings.WEB_THREADS, waiting_max=settings.WEB_WAITING_MAX, lanes=lanes)
uploads = Bounds(bytes_max=settings.UPLOAD_BYTES_MAX, seconds=settings.UPLOAD_SECONDS)
application = Bounded(
    Endpoint(site),
    Bounds(bytes_max=settings.REQUEST_BYTES_MAX, seconds=settings.REQUEST_SECONDS),
    dict.fromkeys(
        map(
            reverse,
            (
                "training:new_dataset",
                "training:api_datasets",
                "marketplace:new_batch",
                "marketplace:api_batches",
            ),
        ),
        uploads,
    ),
)
