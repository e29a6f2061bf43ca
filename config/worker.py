"""A worker for as long as a command needs one, where none is running.

Commands that walk the whole path hand their work to the same Celery worker as the site does. When
`make run` has one, that one does it; otherwise this starts one, with the clock inside, and ends it.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from config import processes
from config.celery import app

PING_SECONDS = 1.0
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class WorkerFailed(Exception):
    """No worker answered; the text has the end of its log."""


def is_running() -> bool:
    """A worker of this installation answers; others may share the broker, on other queues."""
    answers = app.control.inspect(timeout=PING_SECONDS).active_queues() or {}
    ours = app.conf.task_default_queue
    return any(queue["name"] == ours for queues in answers.values() for queue in queues)


@contextmanager
def at_work() -> Iterator[None]:
    """Inside, a worker takes what is queued."""
    if is_running():
        yield
        return
    log = Path(settings.DATA_DIR) / "log" / "command-worker.log"
    options = ["--concurrency", "1", "--beat", "--schedule", f"{log}.schedule", "--without-mingle"]
    process = processes.spawn(
        [sys.executable, "-m", "celery", "-A", "config", "worker", *options],
        folder=settings.BASE_DIR,
        output=processes.open_log(log),
        death_signal=signal.SIGTERM,
    )
    try:
        wait_until = time.monotonic() + START_SECONDS
        while not is_running():
            if process.poll() is not None or time.monotonic() > wait_until:
                raise WorkerFailed(f"The worker did not start: {processes.read_log(log)}")
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
