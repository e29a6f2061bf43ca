"""What a stopwatch says of the machine that it ran on."""

import hashlib
import os
import threading
import time

from training.runner import stopwatch


def test_a_busy_machine_is_told_from_an_idle_one(monkeypatch):
    watch = stopwatch.Watch()
    watch.load = 0.0
    monkeypatch.setattr(os, "getloadavg", lambda: (9.0, 0.0, 0.0))
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert watch.busy() == {"load": 9.0, "processors": 8, "is_loaded": True}
    monkeypatch.setattr(os, "getloadavg", lambda: (7.0, 0.0, 0.0))
    assert not watch.busy()["is_loaded"]


def test_the_threads_that_computed_are_counted():
    def work() -> None:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            hashlib.sha256(bytes(2**20)).digest()  # which lets other threads run

    alone = stopwatch.Watch()
    work()
    assert alone.threads == 1
    together, other = stopwatch.Watch(), threading.Thread(target=work)
    other.start()
    work()
    other.join()
    assert together.threads == 2
