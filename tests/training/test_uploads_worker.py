"""What a worker makes of files that people bring."""

import io
import json
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
from PIL import Image

from kernels.data import DataShape, Target, check_rows, check_targets
from tests.training.outages import disk_is_slow
from tests.training.test_uploads import stored as files
from tests.training.test_uploads import tight
from tests.training.uploads import bring, brought, stored
from training.models import Dataset, Work
from training.runner import blobs, caps, datasets, leases, reading, uploads
from training.runner.recipes import Recipe, encode_rows, feature_names, shape_of
from training.runner.rows import Part


def flowers(rows: int = 60) -> bytes:
    """Two kinds, told by their width; every tenth colour is missing."""
    lines = ["id,width,colour,seen,species"]
    for row in range(rows):
        rose = row % 2
        colour = "" if row % 10 == 0 else ("red", "blue", "white")[row % 3]
        species = "rose" if rose else "iris"
        lines.append(
            f"{row},{rose * 3 + row % 7 / 5:.2f},{colour},2024-01-{row % 28 + 1:02},{species}"
        )
    return "\n".join(lines).encode()


def test_alice_brings_a_table_and_its_rows_are_numbers(alice):
    """In a process of its own, which imports polars and scikit-learn: some seconds."""
    dataset = bring(alice, flowers(), "csv")
    assert (dataset.status, dataset.error_message) == (Work.Status.DONE, "")
    assert dataset.category == "classification"
    assert dataset.features == ["width", "colour=blue", "colour=red", "colour=white", "seen"]
    assert dataset.classes == ["iris", "rose"]
    assert dataset.class_balance == [30, 30]
    assert (dataset.train_rows, dataset.validation_rows, dataset.test_rows) == (42, 9, 9)
    assert dataset.data_shape == DataShape((5,), Target.CLASSES, 2)
    roles = {column["name"]: column["role"] for column in dataset.recipe["columns"]}
    assert (roles["id"], roles["species"]) == ("ignored", "target")
    rows, recipe = stored(dataset), Recipe.from_json(dataset.recipe)
    # what a prediction makes of the same words is what was trained on
    written = [{"width": "0.20", "colour": "blue", "seen": "2024-01-02"}]
    assert encode_rows(recipe, written)[0, 1:].tolist() == [1, 0, 0, 19724]
    assert rows.features.dtype == np.float32
    assert dataset.report["first_rows"][0]["species"] == "iris"
    assert {finding["code"] for finding in dataset.report["health"]} >= {"leakage", "missing"}


def test_what_stands_in_for_a_missing_value_comes_from_training_rows(alice, in_this_process):
    lines = ["age,y", *(f"{row},{row % 5 / 2}" for row in range(39)), ",1"]
    split = {"kind": "time", "train": 0.5, "validation": 0.25, "test": 0.25}
    dataset = bring(alice, "\n".join(lines).encode(), "csv", split=split)
    assert dataset.recipe["columns"][0]["missing"] == 9.5  # the median of 0 to 19
    assert stored(dataset).features[39, 0] == 9.5
    assert (dataset.category, dataset.classes) == ("regression", ["y"])


def test_the_same_file_gives_the_same_bytes_again(alice, in_this_process):
    assert bring(alice, flowers(), "csv").sha256 == bring(alice, flowers(), "csv").sha256


def test_a_person_corrects_what_was_guessed(alice, in_this_process):
    first = bring(alice, flowers(), "csv")
    recipe = first.recipe | {
        "columns": [
            column | ({"role": "ignored"} if column["name"] == "seen" else {})
            for column in first.recipe["columns"]
        ]
    }
    recipe["columns"][2] = {"name": "colour", "kind": "category", "sensitive": True}
    split = {"kind": "group", "column": "id", "train": 0.6, "validation": 0.2, "test": 0.2}
    second = bring(alice, flowers(), "csv", asked=recipe, split=split)
    assert second.error_message == ""
    assert second.features == ["width", "colour=blue", "colour=red", "colour=white"]
    assert second.split["kind"] == "group"
    assert second.train_rows == 36
    groups = stored(second).groups
    assert groups.shape == (60, 1)
    assert second.report["groups"] == [{"column": "colour", "names": ["blue", "red", "white"]}]


def test_a_series_becomes_windows_that_straddle_no_parts(alice, in_this_process):
    lines = ["month,gas"]
    lines += [f"{2000 + row // 12}-{row % 12 + 1:02}-01,{row}" for row in range(240)]
    dataset = bring(alice, "\n".join(lines).encode(), "csv")
    assert (dataset.status, dataset.category) == ("done", "timeseries")
    recipe = Recipe.from_json(dataset.recipe)
    assert (recipe.season, recipe.horizon) == (12, 6)
    rows = stored(dataset)
    assert rows.features.shape[1:] == (recipe.window, 1)
    assert (rows.targets[:, 0] == rows.features[:, -1, 0] + 1).all()
    steps = {part: set(rows.only(part).features.ravel()) for part in Part}
    steps[Part.TRAIN] |= set(rows.only(Part.TRAIN).targets.ravel())
    assert not steps[Part.TRAIN] & steps[Part.VALIDATION]
    assert not steps[Part.VALIDATION] & steps[Part.TEST]


def test_texts_with_classes_become_tokens_of_words_that_training_knows(alice, in_this_process):
    lines = ["text,label"]
    for row in range(60):
        text = f"a really good day number {row}" if row % 2 else f"quite a bad night number {row}"
        lines.append(f"{text},{'good' if row % 2 else 'bad'}")
    dataset = bring(alice, "\n".join(lines).encode(), "csv")
    assert (dataset.status, dataset.category, dataset.classes) == ("done", "nlp", ["bad", "good"])
    rows, recipe = stored(dataset), Recipe.from_json(dataset.recipe)
    assert rows.features.dtype == np.uint32
    assert rows.features.shape == (60, recipe.steps)
    unknown = rows.features == 1
    assert not unknown[rows.parts == Part.TRAIN].any()
    assert unknown[rows.parts != Part.TRAIN].any()


def test_plain_text_is_asked_for_its_next_character(alice, in_this_process):
    text = "To be, or not to be, that is the question.\n" * 60
    dataset = bring(alice, text.encode(), "text")
    assert (dataset.status, dataset.category) == ("done", "nlp")
    rows = stored(dataset)
    assert (rows.targets[:, :-1] == rows.features[:, 1:]).all()
    shape = dataset.data_shape
    assert (shape.target, shape.size) == (Target.NEXT, shape.vocabulary)
    assert rows.targets.max() < shape.vocabulary


def test_a_zip_of_folders_becomes_pictures_of_classes(alice, in_this_process):
    archive = io.BytesIO()
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(archive, "w") as file:
        for number in range(24):
            name = ("cats", "dogs")[number % 2]
            pixels = rng.integers(0, 255, (8, 6), np.uint8)
            picture = io.BytesIO()
            Image.fromarray(pixels).save(picture, "PNG")
            file.writestr(f"animals/{name}/{number}.png", picture.getvalue())
    dataset = bring(alice, archive.getvalue(), "zip")
    assert (dataset.status, dataset.category) == ("done", "vision")
    assert (dataset.classes, dataset.image_shape) == (["cats", "dogs"], [8, 6])
    features = stored(dataset).features
    assert features.shape == (24, 8, 6, 1)
    assert 0 <= features.min() < features.max() <= 1
    assert dataset.report["first_rows"][0]["file"] == "animals/cats/0.png"


def test_arrays_lines_and_parquet_are_read_alike(alice, in_this_process):
    values = np.random.default_rng(0).standard_normal((40, 2)).round(3)
    sums = values.sum(axis=1).round(3)
    frame = pl.DataFrame({"x1": values[:, 0], "x2": values[:, 1], "target": sums})
    lines, parquet, arrays = io.BytesIO(), io.BytesIO(), io.BytesIO()
    frame.write_ndjson(lines)
    frame.write_parquet(parquet)
    np.savez(arrays, X=values, y=sums)
    files = {"csv": frame.write_csv().encode(), "jsonl": lines, "parquet": parquet, "npz": arrays}
    hashes = set()
    for kind, content in files.items():
        content = content if isinstance(content, bytes) else content.getvalue()
        dataset = bring(alice, content, kind)
        assert (dataset.error_message, dataset.features) == ("", ["x1", "x2"])
        hashes.add(dataset.sha256)
    assert len(hashes) == 1


@pytest.mark.parametrize(
    ("content", "kind", "message"),
    [
        (b"a,b\n1,2\n3\n", "csv", "line 3 has 1 cell and the heading has 2"),
        (b"a,y\n" + b"1,=cmd()\n" * 9, "csv", "line 2, column 'y': '=cmd"),
        (b"PK\x03\x04", "zip", "is not read as a zip"),
        (b"a,y\n1,2\n", "csv", "has 1 row; bring at least 4"),
    ],
)
def test_a_file_that_is_refused_leaves_a_reason_and_nothing_else(
    alice, in_this_process, content, kind, message
):
    dataset = bring(alice, content, kind)
    assert (dataset.status, dataset.error_code) == (Work.Status.FAILED, "file_refused")
    assert message in dataset.error_message
    assert (dataset.sha256, dataset.recipe, dataset.rows) == ("", {}, 0)


def test_numbers_as_large_as_float32_has_are_read_and_what_is_none_is_named(alice, in_this_process):
    lines = [f"{'-' * (row % 2)}3.4e38,{row / 7:.3f}" for row in range(40)]
    dataset = bring(alice, "\n".join(["far,y", *lines]).encode(), "csv")
    assert (dataset.status, dataset.error_message) == ("done", "")
    fields = {"report": dataset.report}
    assert reading.unstorable(fields) == ""
    dataset.report["columns"][0]["histogram"]["edges"][0] = float("nan")
    assert reading.unstorable(fields).startswith(
        "gives nan for report.columns['far'].histogram.edges[0], which is no number"
    )


def test_a_schema_that_does_not_fit_the_file_fails_with_the_column(alice, in_this_process):
    recipe = {"kind": "table", "columns": [{"name": "height", "kind": "number"}]}
    dataset = bring(alice, flowers(), "csv", asked=recipe)
    assert "has no column 'height'; it has: id, width" in dataset.error_message


def test_a_file_that_kills_its_reader_kills_only_that(alice, settings):
    settings.TRAINING_READER = [sys.executable, "-c", "import os; os.abort()"]
    dataset = bring(alice, flowers(), "csv")
    assert (dataset.status, dataset.error_code) == (Work.Status.FAILED, "reader_died")
    assert "signal 6" in dataset.error_message


def test_a_file_that_takes_for_ever_is_given_up_and_its_lease_is_kept_meanwhile(tmp_path, settings):
    """Waits for two seconds of a reader that would sleep for ever."""
    settings.TRAINING_READER = [sys.executable, "-c", "import time; time.sleep(99)"]
    settings.TRAINING_READER_SECONDS = 1
    waits = []
    with pytest.raises(leases.WorkFault, match="within 1 s") as fault:
        uploads.run(tmp_path, on_wait=lambda: waits.append(1))
    assert fault.value.code == "too_slow"
    assert len(waits) >= 1


def test_a_file_that_was_altered_on_our_side_is_not_read(alice, settings):
    dataset = Dataset.objects.create(
        owner=alice, slug="lost", name="Lost", format="csv", upload_sha256="0" * 64
    )
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert (dataset.status, dataset.error_code) == (Work.Status.FAILED, "blob")
    assert "Bring the file again" in dataset.error_message


def test_a_file_that_another_worker_took_meanwhile_is_left_to_it(alice, in_this_process, tmp_path):
    dataset = brought(alice, flowers(), "csv")
    claimed = leases.claim(Dataset, str(dataset.pk))
    blobs.fetch(claimed.upload_sha256, tmp_path / "upload")
    fields = uploads.read(claimed, tmp_path)
    Dataset.objects.update(attempt=7)
    with pytest.raises(leases.LeaseLost):
        uploads.store(claimed, (tmp_path / "rows.safetensors").read_bytes(), fields)
    dataset.refresh_from_db()
    assert (dataset.attempt, dataset.sha256) == (7, "")


def test_a_worker_whose_disk_is_slow_keeps_the_file_whose_rows_it_writes(
    alice, in_this_process, monkeypatch
):
    blobs.delete(bring(alice, flowers(1_000), "csv").sha256)
    with disk_is_slow(monkeypatch, Dataset) as is_taken_for_dead:
        assert bring(alice, flowers(1_000), "csv").status == Work.Status.DONE
    assert len(is_taken_for_dead) > 2
    assert not any(is_taken_for_dead)


# Files and schemas from anywhere


def check_outcome(dataset: Dataset) -> None:
    """Everything is there, or nothing is but the reason."""
    if dataset.status == Work.Status.FAILED:
        assert dataset.error_code == "file_refused"
        assert len(dataset.error_message) > len(f"“{dataset.upload_name}” ")
        assert (dataset.sha256, dataset.rows, dataset.report) == ("", 0, {})
        return
    assert (dataset.status, dataset.error_message) == (Work.Status.DONE, "")
    rows, recipe, shape = stored(dataset), Recipe.from_json(dataset.recipe), dataset.data_shape
    assert len(rows) == dataset.rows == rows.parts.size
    assert dataset.train_rows + dataset.validation_rows + dataset.test_rows == dataset.rows
    assert min(dataset.train_rows, dataset.test_rows) > 0
    assert shape_of(recipe) == shape
    check_rows(shape, rows.features, "features")
    check_targets(shape, rows.targets, len(rows), "targets")
    assert len(feature_names(recipe)) in (0, shape.features)
    json.dumps(dataset.report, allow_nan=False)


def test_rows_take_room_as_files_do(alice, in_this_process, monkeypatch):
    whole = bring(alice, flowers(), "csv", upload_bytes=len(flowers()))
    assert whole.size_bytes > 1_000
    room = 2 * (len(flowers()) + whole.size_bytes)
    for total_bytes, status in ((room, Work.Status.DONE), (room - 1, Work.Status.FAILED)):
        for plan, wide in caps.CAPS.items():
            limits = vars(wide) | {"total_bytes": total_bytes}
            monkeypatch.setitem(caps.CAPS, plan, caps.Caps(**limits))
        found = bring(alice, flowers(), "csv", upload_bytes=len(flowers()))
        assert found.status == status
        found.delete() if status == Work.Status.DONE else None
    assert (found.error_code, found.sha256, found.size_bytes) == ("cap_reached", "", 0)
    assert f"{whole.size_bytes - 1:,} left. Delete a dataset" in found.error_message


def test_rows_for_which_mallory_has_no_room_take_none(mallory, in_this_process, monkeypatch):
    dataset = brought(mallory, flowers(61), "csv", upload_bytes=len(flowers(61)))
    tight(monkeypatch, total_bytes=len(flowers(61)) + 1)
    before = files()
    datasets.prepare_dataset(str(dataset.pk))
    dataset.refresh_from_db()
    assert (dataset.error_code, files()) == ("cap_reached", before)
