"""What a fine-tuned model saw before its own training: the rows of the jobs it descends from,
through their models or their checkpoints.

A figure holds only for rows that no training read, its ancestors' included. Two versions of a
dataset that come from one file hold the same rows, so a row that tests by one split may have
trained by the other. A job that would begin so is refused; in what was trained all the same, or on
rows that were brought twice, a validation counts them.
"""

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.models import Dataset, Job
from training.runner import blobs
from training.runner.beginnings import origin_of
from training.runner.quotes import InvalidConfig
from training.runner.rows import Part, Rows, read_arrays, unpack

SEEN_SHARE_MAX = 0.01  # of rows; a few happen to be alike in any two datasets
DIGEST_BYTES = 16
ROWS_AT_ONCE = 4_096


def ancestors(job: Job) -> Iterator[Job]:
    """The job that made what this one began from, what that began from, and so on."""
    origin = origin_of(job)
    while origin is not None:
        yield origin
        origin = origin_of(origin)


def refuse_leak(origin: Job, dataset: Dataset) -> None:
    """Raises InvalidConfig where this job, or one before it, was shown rows that this dataset tests
    on.
    """
    for job in (origin, *ancestors(origin)):
        before = job.dataset
        shown = shown_rows(before, dataset)
        if shown == 0:
            continue
        rows = f"rows that version {dataset.version} of “{dataset.name}” tests on"
        told = f"{rows} may have been shown"
        if shown is not None:
            told = f"{shown:,} of the {dataset.test_rows:,} {rows} were shown"
        reason = (
            f"{told} to “{job.name}”, whose weights the job would take over: it learned from "
            f"version {before.version} of “{before.name}”, the same file split or read otherwise "
            f"({said(before)}). Take that version, correct the schema to its split, or train from "
            "the beginning"
        )
        raise InvalidConfig(
            f"dataset: {reason}.", invalid_parameters=[{"field": "dataset", "reason": reason}]
        )


def said(dataset: Dataset) -> str:
    """The split of a dataset, in the words of its schema."""
    split = dataset.split
    column = f" by {split['column']}" if split.get("column") else ""
    shares = "/".join(f"{split.get(part.name.lower(), 0):g}" for part in Part)
    return f"{split.get('kind', 'stratified')}{column}, {shares}, seed {split.get('seed', 0)}"


def shown_rows(before: Dataset, now: Dataset) -> int | None:
    """How many rows that test in `now` train or validate in `before`, of the same file; None where
    the file was read so differently that no row of one is known to be a row of the other.
    """
    if before.sha256 == now.sha256 or not is_of_one_file(before, now):
        return 0
    if is_series(before) and is_series(now):
        # Windows differ, but the last steps test: fewer of them are among those that tested.
        is_inside = order_of(before) == order_of(now) and now.split["test"] <= before.split["test"]
        return 0 if is_inside else None
    return None if not are_aligned(before, now) else int(shown_mask(before, now).sum())


def is_of_one_file(one: Dataset, other: Dataset) -> bool:
    if one.family == other.family:
        return True
    return bool(one.upload_sha256) and bool(one.upload_sha256 == other.upload_sha256)


def is_series(dataset: Dataset) -> bool:
    return bool(dataset.recipe.get("kind") == "series")


def are_aligned(one: Dataset, other: Dataset) -> bool:
    """Whether row n of one is row n of the other: files are read in their order, series are not."""
    if is_series(one):
        return False
    is_as_long = one.rows == other.rows and one.format == other.format
    return is_as_long and order_of(one) == order_of(other)


def order_of(dataset: Dataset) -> tuple[Any, ...]:
    """What decides which piece of a file is which row."""
    recipe = dataset.recipe
    if is_series(dataset):
        times = [each["name"] for each in recipe["columns"] if each["role"] == "time"]
        return "series", *times
    if dataset.format == Dataset.Format.TEXT:
        return "text", recipe.get("tokenizer"), recipe.get("steps")
    return ("rows",)


def shown_mask(before: Dataset, now: Dataset) -> NDArray[np.bool_]:
    """Which rows test in `now` and did other things in `before`, of aligned rows [rows]."""
    was, tests = (stored_parts(each) for each in (before, now))
    mask: NDArray[np.bool_] = (tests == Part.TEST) & (was != Part.TEST)
    return mask


def stored_parts(dataset: Dataset) -> NDArray[np.int8]:
    with blobs.open_blob(dataset.sha256) as file:
        return read_arrays(file, "parts")["parts"]


# What a validation says of it


def seen_test_rows(job: Job, rows: Rows, *, beat: Callable[[int], object]) -> dict[str, Any]:
    """The share of the test rows that an ancestor was shown: the same row of the same file, which
    is counted by itself too, since chance has no part in it, or one whose numbers are all the same.
    Those of the latter that also stand among the rows that trained the model itself are not
    counted: they are the dataset's own repetitions, which its report tells.
    """
    dataset, test = job.dataset, rows.numbers(Part.TEST)
    alike, same = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    not_compared: list[str] = []
    names = []
    digests: list[bytes] = []
    for ancestor in ancestors(job):
        names.append(ancestor.name)
        before = ancestor.dataset
        if before.sha256 == dataset.sha256:
            continue
        if is_of_one_file(before, dataset) and are_aligned(before, dataset):
            same |= shown_mask(before, dataset)
            continue
        old = unpack(blobs.get(before.sha256))
        if width(old) != width(rows):
            not_compared.append(ancestor.name)
            continue
        digests = digests or row_digests(rows, beat)
        known = {digests[row] for row in rows.numbers(Part.TRAIN)}
        shown = set(row_digests(old.take(np.flatnonzero(old.parts != Part.TEST)), beat)) - known
        alike[[row for row in test if digests[row] in shown]] = True
    count = int((alike | same).sum())
    return {
        "models": names,
        "rows": len(test),
        "seen": count,
        "of_one_file": int(same.sum()),
        "share": count / max(len(test), 1),
        "not_compared": not_compared,
    }


def acquainted(job: Job, rows: Rows, *, beat: Callable[[int], object]) -> Job | None:
    """The first ancestor that was shown some of these rows of a dataset: of the same file, or more
    than happen to be alike in any two datasets.
    """
    dataset = job.dataset
    digests: set[bytes] = set()
    for ancestor in ancestors(job):
        before = ancestor.dataset
        if before.sha256 == dataset.sha256 or is_of_one_file(before, dataset):
            return ancestor
        old = unpack(blobs.get(before.sha256))
        if width(old) != width(rows):
            continue
        digests = digests or set(row_digests(rows, beat))
        shown = set(row_digests(old.take(np.flatnonzero(old.parts != Part.TEST)), beat))
        if len(digests & shown) > SEEN_SHARE_MAX * len(digests):
            return ancestor
    return None


def width(rows: Rows) -> tuple[int, str]:
    """How many numbers a row has, and of which type."""
    return int(np.prod(rows.features.shape[1:])), str(rows.features.dtype)


def row_digests(rows: Rows, beat: Callable[[int], object]) -> list[bytes]:
    """One for each row, the same for the same numbers."""
    found = []
    for number, row in enumerate(rows.features.reshape(len(rows), -1)):
        if number % ROWS_AT_ONCE == 0:
            beat(number)
        found.append(new_digest(plain(row)).digest())
    return found


def new_digest(content: bytes = b"") -> hashlib.blake2b:
    return hashlib.blake2b(content, digest_size=DIGEST_BYTES)


def plain(numbers: NDArray[Any]) -> bytes:
    """The same for the same numbers: −0 is 0."""
    return (numbers + 0).tobytes()
