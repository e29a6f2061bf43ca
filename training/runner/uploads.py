"""Prepares what somebody brought: has it read in another process, and stores what came of it.

All fields of the row and the stored rows appear in one transaction, or the row says why not.
"""

import json
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.db.models.functions import Now

from governance import services as governance
from training.models import Dataset, Work
from training.runner import blobs, leases, reading, sweeps
from training.runner.caps import bounds_of, caps_of
from training.runner.children import run_reader

log = structlog.get_logger()
FIELDS = {
    "category",
    "asked",
    "recipe",
    "shape",
    "split",
    "report",
    "rows",
    "columns",
    "features",
    "classes",
    "class_balance",
    "image_shape",
    "split_seed",
    "train_rows",
    "validation_rows",
    "test_rows",
}


def prepare_upload(dataset: Dataset) -> None:
    """Fill the row, or fail it with the reason. Safe to repeat: equal bytes have one name."""
    leases.renew(dataset)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            blobs.fetch(dataset.upload_sha256, folder / "upload")
            fields = read(dataset, folder)
            store(dataset, (folder / "rows.safetensors").read_bytes(), fields)
    except leases.WorkFault as fault:
        leases.fail(dataset, code=fault.code, message=str(fault))
    except blobs.BlobFault as fault:
        log.exception("upload_unreadable", dataset=str(dataset.pk))
        leases.fail(dataset, code="blob", message=f"{fault} Bring the file again.")


def read(dataset: Dataset, folder: Path) -> dict[str, Any]:
    """The fields that the reading process found; its rows lie in the folder. Raises WorkFault."""
    ask = {
        "format": dataset.format,
        "recipe": dataset.asked,
        "split": dataset.split,
        "bounds": {} if dataset.owner_id is None else bounds_of(dataset.owner_id),
    }
    (folder / "ask.json").write_text(json.dumps(ask))
    run(folder, on_wait=partial(leases.wait, dataset))
    found = json.loads((folder / "answer.json").read_text())
    if "refused" in found:
        raise leases.WorkFault("file_refused", f"“{dataset.upload_name}” {found['refused']}")
    return {name: found["fields"][name] for name in FIELDS}


def run(folder: Path, *, on_wait: Callable[[], None]) -> None:
    """Read what lies in the folder, in another process unless the settings name none."""
    if settings.TRAINING_READER:
        run_reader(folder, on_wait=on_wait)
    else:
        reading.work(folder)


def require_room(dataset: Dataset, size_bytes: int) -> None:
    """As a file takes room, so do the rows that are made of it: a small file may become many."""
    if dataset.owner_id is None:
        return
    governance.take_turn(f"datasets/{dataset.owner_id}")  # as who brings another file waits for it
    caps = caps_of(dataset.owner_id)
    others = Dataset.objects.filter(owner=dataset.owner_id).exclude(pk=dataset.pk)
    used = others.aggregate(sum=Sum(F("upload_bytes") + F("size_bytes")))["sum"] or 0
    left = caps.total_bytes - used - dataset.upload_bytes
    if size_bytes > left:
        raise leases.WorkFault(
            "cap_reached",
            f"file: its rows take {size_bytes:,} bytes as they are stored; your plan keeps "
            f"{caps.total_bytes:,} bytes of data and you have {max(left, 0):,} left. Delete a "
            "dataset, or bring fewer rows or columns.",
        )


def store(dataset: Dataset, content: bytes, fields: dict[str, Any]) -> None:
    """Raises WorkFault where the rows are more than the plan of their owner keeps.

    They are written before the transaction: who brings another file meanwhile waits for no disk.
    """
    sha256 = blobs.put(content, beat=partial(leases.heartbeat_of_parts(dataset), 0))
    try:
        with transaction.atomic():
            require_room(dataset, len(content))
            blobs.keep(sha256, content)
            leases.write(
                dataset,
                status=Work.Status.DONE,
                lease_until=None,
                finished_at=Now(),
                sha256=sha256,
                size_bytes=len(content),
                **fields,
            )
            governance.record(actor=None, verb="prepare_dataset", subject=dataset)
    except leases.WorkFault:
        sweeps.forget_blob(sha256, is_named=lambda _: False)
        raise
