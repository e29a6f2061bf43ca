"""The site's settings, all the same, in a data folder of their own.

A settings module, because pytest-django loads the settings before any conftest.
"""

import os
from pathlib import Path

os.environ.setdefault("DATA_DIR", str(Path(__file__).resolve().parent.parent / "var" / "test"))
# Each process of a parallel run has queues of its own, as it has a database of its own. Set and not
# defaulted: it inherits the environment of the process that started it, which has named its own.
os.environ["CELERY_QUEUE"] = f"test-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"

from config.settings import *  # noqa: F403

# Hashing passwords slowly is the point of it, but not here.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# And files of its own: tests lose and damage some.
MEDIA_ROOT = DATA_DIR / "files" / os.environ.get("PYTEST_XDIST_WORKER", "main")  # noqa: F405

# A test server's threads must not keep the database from being dropped.
DATABASES["default"]["CONN_MAX_AGE"] = 0  # noqa: F405

# A thread of its own would not see what a test has not committed; tests write down when they look.
STATISTICS_SECONDS = 0

# Whatever a test asks of the JSON door, the answer is what the schema tells.
MIDDLEWARE = [*MIDDLEWARE, "tests.conformance.ConformanceMiddleware"]  # noqa: F405

# What they commit need not outlive the machine.
DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c synchronous_commit=off"  # noqa: F405

# Tests ask faster than people do. Those that are about quotas set some.
QUOTAS: dict[str, dict[str, int]] = {}
