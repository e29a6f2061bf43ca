"""Starts the database and the broker for the tests, and introduces the people in them."""

from contextlib import ExitStack

import pytest
from django.conf import settings

from config import embedded

PARTS = pytest.StashKey[ExitStack]()


def pytest_configure(config: pytest.Config) -> None:
    """Start what the environment does not name, once: the workers of xdist share the controller's.

    The hooks, and not a fixture, since only the controller outlives all workers.
    """
    config.stash[PARTS] = ExitStack()
    if not hasattr(config, "workerinput"):
        config.stash[PARTS].enter_context(embedded.parts(settings.DATA_DIR))


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[PARTS].close()


# The cast
