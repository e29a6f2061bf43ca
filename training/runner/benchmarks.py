"""Has a model timed by `stopwatch`, in a process of its own."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from training.runner.children import how_it_ended
from training.runner.subjects import Judged, Subject

SECONDS_MAX = 120
ROWS = 256


class StopwatchFailed(Exception):
    """The measuring process ended without a figure; the text says how."""


def measure(subject: Subject, *, on_wait: Callable[[], None]) -> dict[str, Any]:
    """What `stopwatch` prints. Calls `on_wait` about once a second."""
    with tempfile.TemporaryDirectory() as folder:
        model_path, rows_path = Path(folder, "model.safetensors"), Path(folder, "rows.npy")
        model_path.write_bytes(subject.content)
        np.save(rows_path, rows_of(subject))
        stopwatch = [sys.executable, "-m", "training.runner.stopwatch"]
        with subprocess.Popen(  # noqa: S603  # our own module, our own files
            [*stopwatch, str(model_path), str(rows_path)],
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                return read_figures(process, on_wait=on_wait)
            finally:
                process.kill()


def rows_of(subject: Subject) -> NDArray[Any]:
    """Test rows, or what stands for them where the network takes noise or there are none."""
    is_given_rows = subject.judged not in (Judged.SAMPLES, Judged.EPISODES)
    if is_given_rows and len(subject.test):
        return subject.test.features
    return subject.predictor.example_rows(ROWS)


def read_figures(process: subprocess.Popen[str], *, on_wait: Callable[[], None]) -> dict[str, Any]:
    for _ in range(SECONDS_MAX):
        try:
            printed, complaint = process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            on_wait()
            continue
        if process.returncode:
            how = how_it_ended("stopwatch", process.returncode, complaint)
            raise StopwatchFailed(
                f"The process that times the model ended without a figure ({how}). Validate the "
                "model again; should it end so again, the model may need more memory than there is."
            )
        figures: dict[str, Any] = json.loads(printed)
        return figures
    raise StopwatchFailed(
        f"The model was not timed within {SECONDS_MAX} s. Validate it again while less is at work."
    )
