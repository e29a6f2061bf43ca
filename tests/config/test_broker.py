"""Messages through the real broker to a real worker, with the site's own settings.

What is promised here must hold on every broker, so `.ci/run` runs it on three. It is slow for two
reasons that are Celery's: a worker takes two seconds to start and as many to end, so one serves all
tests but that of its end; and it looks for dead processes every five seconds.
"""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.conf import settings

from config import celery_app, processes
from tests.conftest import empty_queues


@celery_app.task(name="tests.note")
def note(path: str, seconds: float = 0.0) -> None:
    time.sleep(seconds)
    with open(path, "a") as file:
        file.write(f"{os.getpid()}\n")


@celery_app.task(name="tests.note_and_die_once")
def note_and_die_once(path: str) -> None:
    """As a process that runs out of memory: no exception, no last word."""
    note(path)
    if len(pids(Path(path))) == 1:
        os.kill(os.getpid(), signal.SIGKILL)


@celery_app.task(name="tests.write")
def write(path: str, word: str) -> None:
    time.sleep(0.02)
    with open(path, "a") as file:
        file.write(f"{word}\n")


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def wait_until(happens: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)


@contextmanager
def running_worker(queues: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker on queues of its own, as `make run` starts it; killed at the end."""
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--concurrency=2"]
    command += ["-Q", queues, "--include=tests.config.test_broker"]
    command += ["-n", f"{uuid.uuid4().hex}@localhost"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle", "--loglevel=INFO"],
            cwd=settings.BASE_DIR,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            wait_until(lambda: b" ready." in log.read_bytes() or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            yield process
        finally:
            processes.send_group(process.pid, signal.SIGKILL)
            process.wait()


def delete_queue(name: str) -> None:
    with celery_app.connection_for_write() as connection:
        connection.default_channel.queue_delete(name)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = f"tests-{uuid.uuid4().hex}"
    with running_worker(name, tmp_path_factory.mktemp("worker") / "log"):
        yield name
    delete_queue(name)


def test_each_of_a_hundred_messages_is_worked_on_once(queue: str, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(100)]
    for path in paths:
        note.apply_async([str(path)], queue=queue)
    wait_until(lambda: all(path.exists() for path in paths))
    assert [len(pids(path)) for path in paths] == [1] * 100


def test_the_work_of_a_process_that_was_killed_is_done_by_another(
    queue: str, tmp_path: Path
) -> None:
    path = tmp_path / "pids"
    note_and_die_once.apply_async([str(path)], queue=queue)
    wait_until(lambda: len(pids(path)) == 2)
    assert pids(path)[0] != pids(path)[1]


def test_a_worker_that_is_asked_to_end_finishes_its_work(tmp_path: Path) -> None:
    path, log = tmp_path / "pids", tmp_path / "log"
    name = f"tests-{uuid.uuid4().hex}"
    with running_worker(name, log) as worker:
        note.apply_async([str(path), 1.0], queue=name)
        wait_until(lambda: b"received" in log.read_bytes())
        worker.terminate()
        assert worker.wait(180) == 0
    assert len(pids(path)) == 1
    delete_queue(name)


def test_a_heap_of_files_delays_training_by_one_reading_of_each_process(tmp_path: Path) -> None:
    """The queues of the site themselves, which are filled before anybody works."""
    empty_queues()
    training, files, webhooks, mail = (queue.name for queue in settings.CELERY_TASK_QUEUES)
    routes = celery_app.conf.task_routes
    assert routes["training.tasks.prepare_dataset"]["queue"] == files
    assert routes["governance.tasks.deliver_webhooks"]["queue"] == webhooks
    assert routes["governance.tasks.send_notice"]["queue"] == mail
    log = tmp_path / "order"
    for name in [files] * 20 + [training] * 5:
        write.apply_async([str(log), name], queue=name)
    with running_worker(f"{training},{files}", tmp_path / "log"):
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) == 25)
    order = log.read_text().splitlines()
    places = [place for place, name in enumerate(order, start=1) if name == training]
    assert all(place <= 2 * (turn + 1) for turn, place in enumerate(places, start=1)), order
