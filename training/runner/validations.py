"""Measures a model on the test rows of its dataset: how right it is, how fast, how large.

Quality is scikit-learn's (macro means over the classes), beside it Wilson's 95 % interval of the
accuracy and the accuracy of always guessing the commonest class. Speed is `stopwatch`'s.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from governance import services as governance
from kernels import build, tensors
from kernels.limits import SandboxError
from kernels.predictor import Predictor, RowsRefused
from training.models import Validation, Work
from training.runner import blobs, leases, walls
from training.runner.chunks import fault_code
from training.runner.rows import Part, Rows, unpack

log = structlog.get_logger()
MEGABYTE = 1_000_000
STOPWATCH_SECONDS_MAX = 120
ROWS_AT_ONCE = 256


class StopwatchFailed(Exception):
    """The measuring process ended without a figure; its words are the message."""


# What makes a measurement impossible: trying again would end the same way.
FAULTS = (SandboxError, StopwatchFailed, tensors.ModelRefused, RowsRefused, blobs.BlobFault)


def quality(probabilities: NDArray[np.float32], rows: Rows, classes: list[str]) -> dict[str, Any]:
    """Columns and report of a classifier: probabilities float32 [rows, classes]."""
    guesses = probabilities.argmax(axis=1)
    right = int((guesses == rows.targets).sum())
    labels = list(range(len(classes)))
    precision, recall, f1, _ = precision_recall_fscore_support(
        rows.targets, guesses, labels=labels, average="macro", zero_division=0
    )
    by_class = precision_recall_fscore_support(
        rows.targets, guesses, labels=labels, average=None, zero_division=0
    )
    interval = binomtest(right, len(rows)).proportion_ci(method="wilson")
    return {
        "rows": len(rows),
        "accuracy": right / len(rows),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "report": {
            "confusion": confusion_matrix(rows.targets, guesses, labels=labels).tolist(),
            "classes": classes,
            "per_class": [
                {"name": name, "precision": p, "recall": r, "f1": f, "rows": int(n)}
                for name, p, r, f, n in zip(classes, *(x.tolist() for x in by_class), strict=True)
            ],
            "accuracy_interval": [interval.low, interval.high],
            "baseline_accuracy": int(np.bincount(rows.targets).max()) / len(rows),
        },
    }


def speed(model: bytes, rows: Rows, *, on_wait: Callable[[], None]) -> dict[str, Any]:
    """What `stopwatch` measures, in a process of its own. Calls `on_wait` about once a second."""
    with tempfile.TemporaryDirectory() as folder:
        model_path, rows_path = Path(folder, "model.safetensors"), Path(folder, "rows.npy")
        model_path.write_bytes(model)
        np.save(rows_path, rows.features)
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


def predict(
    predictor: Predictor, rows: Rows, *, on_progress: Callable[[int], object]
) -> NDArray[np.float32]:
    """Probabilities of all rows, to the same bits in parts that take no longer than a lease."""
    found = []
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        found.append(predictor.predict(rows.features[begin : begin + ROWS_AT_ONCE]))
        on_progress(begin)
    return np.concatenate(found)


def read_figures(process: subprocess.Popen[str], *, on_wait: Callable[[], None]) -> dict[str, Any]:
    for _ in range(STOPWATCH_SECONDS_MAX):
        try:
            printed, complaint = process.communicate(timeout=1)
        except subprocess.TimeoutExpired:
            on_wait()
            continue
        if process.returncode:
            raise StopwatchFailed(complaint.strip()[-500:])
        figures: dict[str, Any] = json.loads(printed)
        return figures
    raise StopwatchFailed(f"no figures within {STOPWATCH_SECONDS_MAX} s")


def validate_model(validation_id: str) -> None:
    """Measure, if it is to be had; what was taken over meanwhile counts for nothing."""
    validation = leases.claim(Validation, validation_id)
    if validation is None:
        return
    try:
        with leases.noted(validation):
            measure(validation)
    except leases.LeaseLost as lost:
        log.info("validation_dropped", validation=validation_id, reason=str(lost))


def measure(validation: Validation) -> None:
    leases.write(validation, status=Work.Status.RUNNING)
    model = validation.model
    dataset = model.job.dataset
    try:
        content = blobs.get(model.sha256)
        test = unpack(blobs.get(dataset.sha256)).only(Part.TEST)
        predictor = Predictor(content, module=build.module(), limits=walls.PREDICTION)
        answers = predict(predictor, test, on_progress=leases.heartbeat(validation))
        found = quality(answers, test, dataset.classes)
        measured = speed(content, test, on_wait=partial(leases.renew, validation))
    except FAULTS as error:
        leases.fail(validation, code=fault_code(error), message=str(error))
        return
    report = found.pop("report") | {
        name: measured.pop(name)
        for name in ("histogram", "environment", "sandbox_memory_mb", "profile")
    }
    with transaction.atomic():
        leases.write(
            validation,
            status=Work.Status.DONE,
            lease_until=None,
            finished_at=Now(),
            model_size_mb=model.size_bytes / MEGABYTE,
            report=report,
            **found,
            **measured,
        )
        governance.record(actor=None, verb="validate_model", subject=validation)
