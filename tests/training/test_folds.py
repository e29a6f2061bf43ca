"""Trainings on other splits: cut as the data are, and never over what a parent has learned."""

from itertools import pairwise

import numpy as np
import pytest

from kernels import build
from tests.training.test_finetuning import SMALL, begun, brought, further, read, trained
from training import services as training
from training.models import Dataset, Validation, Work
from training.runner import blobs, folds, validations
from training.runner.rows import Part, Rows
from training.runner.subjects import subject_of

pytestmark = pytest.mark.usefixtures("in_this_process")

PATIENTS = b"weight,patient,day,kind\n" + b"".join(
    f"{number % 7 / 3},p{number // 6},{(number * 37) % 120},{'ab'[number % 2]}\n".encode()
    for number in range(120)
)


def recipe(**roles):
    kinds = {"weight": "number", "patient": "category", "day": "number", "kind": "category"}
    columns = [
        {"name": name, "kind": kind, "role": roles.get(name, "ignored")}
        for name, kind in kinds.items()
    ]
    return {"kind": "table", "columns": columns}


def table(alice, kind: str, column: str, **roles) -> Dataset:
    """Rows of twenty patients, six of each, on days in no order."""
    first = brought(alice, content=PATIENTS, recipe=recipe(weight="feature", kind="target"))
    split = {"kind": kind, "train": 0.6, "validation": 0.2, "test": 0.2, "column": column}
    asked = recipe(weight="feature", kind="target", **roles)
    corrected = training.correct_schema(
        actor=alice, dataset=first, recipe=asked, split=split | {"seed": 0}
    )
    return read(corrected)


def cut(alice, dataset, count):
    """The folds of a model on these data, and which of the stored rows each row of one is."""
    job = begun(alice, dataset).job
    subject = subject_of(job, job.model.sha256, module=build.module(), beat=int)
    known = subject.rows.take(np.flatnonzero(subject.rows.parts != Part.TEST))
    return known, list(folds.split(subject, dataset, known, count))


def measured(alice, model, **asked) -> Validation:
    validation = training.validate_model(actor=alice, model=model, **asked)
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.status == "done", validation.error_message
    return validation


def test_a_patient_is_in_one_part_of_each_fold(alice):
    """As in the split that alice chose: what is known of a patient is not asked of the same one."""
    known, found = cut(alice, table(alice, "group", "patient", patient="group"), 4)
    tested = []
    for rows in found:
        of = {part: set(rows.only(part).split_by.tolist()) for part in Part}
        assert all(of.values())
        assert not of[Part.TEST] & (of[Part.TRAIN] | of[Part.VALIDATION])
        assert not of[Part.TRAIN] & of[Part.VALIDATION]
        tested += of[Part.TEST]
    assert sorted(tested) == sorted(set(known.split_by.tolist()))


def test_where_time_splits_a_fold_is_measured_by_what_came_before(alice):
    _, found = cut(alice, table(alice, "time", "day", day="time"), 3)
    assert len(found) == 3
    for rows in found:
        assert rows.only(Part.TRAIN).split_by.max() < rows.only(Part.VALIDATION).split_by.min()
        assert rows.only(Part.VALIDATION).split_by.max() < rows.only(Part.TEST).split_by.min()
    ends = [rows.only(Part.TEST).split_by.max() for rows in found]
    assert all(before < after for before, after in pairwise(ends))


def test_bundled_rows_that_were_replaced_are_not_cut(db):
    """The first pictures of digits had moved copies of each among them, and not which was whose."""
    older = training.add_bundled_dataset(slug="digit-pictures")
    Dataset.objects.filter(pk=older.pk).update(version=1, status=Work.Status.DONE)
    training.add_bundled_dataset(slug="digit-pictures")
    older.refresh_from_db()
    rows = Rows(np.zeros((4, 1)), np.zeros(4), np.zeros(4, np.int8))
    with pytest.raises(folds.NotFolded, match="A later version of this dataset took its place"):
        next(folds.split(None, older, rows, 2))


def test_two_folds_train_on_the_other_half(alice):
    found = measured(alice, begun(alice, brought(alice)), folds=2).report["folds"]
    assert len(found["values"]) == 2


def test_groups_too_few_for_so_many_folds_are_told(alice):
    model = begun(alice, table(alice, "group", "weight"))  # of seven values
    found = measured(alice, model, folds=10).report["folds"]
    assert "groups to train and validate on, too few for 10 parts" in found["not_tried"]
    assert "values" not in found


def test_what_a_parent_has_learned_is_no_fold(client, alice):
    """Every part of the rows that trained the parent would look like a good one."""
    dataset = brought(alice)
    parent = begun(alice, dataset)
    child = trained(further(alice, parent, dataset))
    found = measured(alice, child, folds=3).report["folds"]
    assert f"It began from “{parent.name}”, which was shown these rows" in found["not_tried"]
    assert "values" not in found
    client.force_login(alice)
    page = client.get(child.get_absolute_url()).content.decode()
    assert "which was shown these rows" in page


def test_the_same_rows_in_another_file_are_known_to_the_parent_too(alice):
    parent = begun(alice, brought(alice))
    content = blobs.get(brought(alice).upload_sha256) + b"\n"
    child = trained(further(alice, parent, brought(alice, content=content, seed=3)))
    assert "shown these rows" in measured(alice, child, folds=3).report["folds"]["not_tried"]


def easy(step: float) -> bytes:
    """Flowers whose kind their length tells."""
    return b"length,width,kind\n" + b"".join(
        f"{number % 2 + number * step},{number % 5},{'ab'[number % 2]}\n".encode()
        for number in range(1, 121)
    )


def test_on_new_rows_each_fold_begins_from_the_parent(alice):
    """With a rate that moves nothing, a fold is as good as the parent, and not as a beginner."""
    patiently = SMALL | {"training": SMALL["training"] | {"epochs": 60}}
    parent = begun(alice, brought(alice, content=easy(1e-3)), config=patiently)
    other = brought(alice, content=easy(0.00137))
    still = SMALL | {"training": SMALL["training"] | {"epochs": 1, "learning_rate": 1e-8}}
    child = trained(further(alice, parent, other, config=still))
    values = measured(alice, child, folds=3).report["folds"]["values"]
    alone = measured(alice, begun(alice, other, config=still), folds=3).report["folds"]["values"]
    assert min(values) > 0.9 > max(alone)
