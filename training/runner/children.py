"""Processes of ours that a worker starts, where one ended without an answer: its owner is told how,
and our log what it complained of, which names files and machines of ours.
"""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import structlog
from django.conf import settings

from training.runner import leases

log = structlog.get_logger()
WORDS_BYTES = 2_000  # of what a reader says as it dies
# What a reader needs of our environment. Threads are one each: workers share the machine.
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
THREADS = dict.fromkeys(("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
COMPLAINT_LENGTH_MAX = 2_000


def how_it_ended(name: str, returncode: int, complaint: str) -> str:
    """In words that may be shown; the rest is logged."""
    words = complaint.strip()[-COMPLAINT_LENGTH_MAX:]
    log.error("child_died", child=name, returncode=returncode, words=words)
    return f"signal {-returncode}" if returncode < 0 else f"code {returncode}"


def run_reader(folder: Path, *, on_wait: Callable[[], None]) -> None:
    """The process that reads (`reading`), to its end. Calls `on_wait` about once a second.

    Raises WorkFault where it ends without an answer.
    """
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | THREADS
    with (
        (folder / "complaint").open("wb") as complaint,
        subprocess.Popen(  # noqa: S603  # our own module, our own folder
            [*settings.TRAINING_READER, str(folder)],
            cwd=settings.BASE_DIR,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaint,
        ) as process,
    ):
        try:
            wait(process, on_wait)
        finally:
            process.kill()
    if process.returncode:
        words = (folder / "complaint").read_bytes()[-WORDS_BYTES:].decode(errors="replace")
        how = how_it_ended("reader", process.returncode, words)
        raise leases.WorkFault(
            "reader_died",
            f"The file ended the process that read it ({how}). It may be damaged, or need more "
            "memory or time than there is: write it anew, or bring fewer rows.",
        )


def wait(process: subprocess.Popen[bytes], on_wait: Callable[[], None]) -> None:
    seconds_max = settings.TRAINING_READER_SECONDS
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            on_wait()
        else:
            return
        if time.monotonic() > deadline:
            raise leases.WorkFault(
                "too_slow", f"The file was not read within {seconds_max:g} s; bring fewer rows."
            )
