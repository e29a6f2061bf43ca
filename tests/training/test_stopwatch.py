"""What a stopwatch says of the machine that it ran on."""

import hashlib
import os
import sys
import threading
import time

from structlog.testing import capture_logs

from training import services as training
from training.runner import stopwatch, validations


def test_alice_reads_how_her_model_ended_its_stopwatch_and_no_path_of_ours(
    alice, trained, monkeypatch, tmp_path
):
    killed = tmp_path / "python"
    killed.write_text("#!/bin/sh\necho Traceback: /srv/ours/secret.py >&2\nkill -9 $$\n")
    killed.chmod(0o755)
    asked = training.validate_model(actor=alice, model=trained, kind="performance")
    monkeypatch.setattr(sys, "executable", str(killed))
    with capture_logs() as logs:
        validations.validate_model(str(asked.pk))
    asked.refresh_from_db()
    assert (asked.status, asked.error_code) == ("failed", "stopwatch_failed")
    assert "ended without a figure (signal 9). Validate the model again" in asked.error_message
    assert "/srv" not in asked.error_message
    [died] = [each for each in logs if each["event"] == "child_died"]
    assert "/srv/ours/secret.py" in died["words"]


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
