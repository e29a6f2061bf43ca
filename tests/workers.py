"""Celery's processes as tests start them: forks of one that has loaded everything.

Loading the site and its libraries takes a processor five seconds, a fork takes none. Each is a
process of its own and dies as any other.
"""

import multiprocessing
import os
import time
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from typing import Any

import pytest

from tests import preloaded

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([preloaded.__name__])


def start(*command: str, environment: Mapping[str, str], changed: Mapping[str, Any]) -> BaseProcess:
    """The environment of the first start is that of all: it is what was loaded with."""
    process = FORKS.Process(target=preloaded.run, args=(command, changed))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        process.start()
    assert process.pid
    while process.is_alive() and os.getpgid(process.pid) != process.pid:
        time.sleep(0.001)
    return process
