"""What the workers of tests are: forks of a process that has imported this module, and with it all
that they need. It connects to nothing.
"""

import os
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from config.celery import app

app.loader.import_default_modules()
app.finalize()


def run(command: tuple[str, ...], changed: Mapping[str, Any]) -> None:
    """Be what `celery COMMAND` is, with these settings changed, in a session of its own."""
    os.setsid()
    for name, value in changed.items():
        setattr(settings, name, value)
    app.start(list(command))
