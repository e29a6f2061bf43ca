"""The site as `config.asgi` has it, with one address more."""

from django.conf import settings

from config.asgi import application

__all__ = ["application"]

settings.ROOT_URLCONF = "config.bench.urls"
