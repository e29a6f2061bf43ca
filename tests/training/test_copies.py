"""Rows that a table holds more than once, or that a model before saw: what a network remembers is
not sold as what it can.
"""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from kernels.data import DataShape, Target
from tests.training.subjects import subject
from tests.training.test_cards import head_of
from tests.training.test_finetuning import (
    FLOWERS,
    KIND,
    begun,
    brought,
    corrected,
    further,
    trained,
)
from tests.training.uploads import bring
from training import services as training
from training.models import Job
from training.runner import copies, validations
from training.runner.rows import Part, Rows
from training.runner.subjects import Judged

HEAD, *LINES = FLOWERS.splitlines(keepends=True)


def validated(model):
    validation = model.validations.get()
    validations.validate_model(str(validation.pk))
    validation.refresh_from_db()
    assert validation.status == "done", validation.error_message
    return validation


@pytest.mark.usefixtures("in_this_process")
def test_a_model_that_was_tested_on_what_trained_it_earns_and_sells_nothing(client, alice):
    dataset = brought(alice, content=HEAD + b"".join(LINES * 3))
    assert {"bad"} == {
        found["level"] for found in dataset.report["health"] if found["code"] == "leakage"
    }
    model = begun(alice, dataset)
    validation = validated(model)
    copies = validation.report["copies"]
    assert 0.5 < copies["share"] == copies["seen"] / dataset.test_rows
    assert (validation.certificate, validation.score) == ("", None)
    assert validation.receipt["copies"] == copies
    said = f"{copies['seen']} of the {copies['rows']} rows it was tested on also stand among those"
    [fault] = [each for each in training.publication_faults(model=model) if said in each.what]
    assert "split them by a group" in fault.remedy
    assert not any("30 days" in str(each) for each in training.publication_faults(model=model))
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "There is no score and no certificate, and it cannot be published" in page
    assert "rows, some of which trained" in page
    assert f"<dd>{copies['seen']} of {copies['rows']}</dd>" in page
    card = client.get(f"{model.get_absolute_url()}card.md").content.decode()
    assert f"Of its {copies['rows']} test rows {copies['seen']} have the same numbers" in card
    assert "which no training read" not in card


@pytest.mark.usefixtures("in_this_process")
def test_bob_is_not_told_that_figures_on_rows_that_trained_are_verified(client, alice):
    """The card's head and the bill are read by programs, which read no other part."""
    model = begun(alice, brought(alice, content=HEAD + b"".join(LINES * 3)))
    (why,) = validated(model).report["leaks"]
    (index,) = head_of(training.write_card(model=model))["model-index"]
    assert {each["verified"] for each in index["results"][0]["metrics"]} == {False}
    made = json.loads(training.write_bill(model=model))["metadata"]["component"]
    limits = made["modelCard"]["considerations"]["technicalLimitations"]
    assert f"its figures say too much: {why}" in limits
    client.force_login(alice)
    assert client.get(f"/api/v1/models/{model.pk}").json()["leaks"] == [why]


@pytest.mark.usefixtures("in_this_process")
def test_alice_earns_nothing_on_one_row_of_the_file_that_the_parent_trained_on(client, alice):
    """One row in a file may happen to be like one in another, but is not by chance itself. Nobody
    may begin so; a job that was placed when nobody looked is measured all the same.
    """
    first = brought(alice, seed=0)
    job = further(alice, begun(alice, first), first)
    wider = corrected(alice, dataset=first, seed=0, test=(first.test_rows + 1) / first.rows)
    Job.objects.filter(pk=job.pk).update(dataset=wider)
    job.refresh_from_db()
    model = trained(job)
    validation = validated(model)
    shown = validation.report["ancestors"]
    assert (shown["seen"], shown["of_one_file"]) == (1, 1)
    assert (validation.certificate, validation.score) == ("", None)
    said = f"1 of the {wider.test_rows} rows it was tested on were shown to what it began from"
    assert any(said in each.what for each in training.publication_faults(model=model))
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "was shown to an ancestor in training, so these figures say too much." in page
    assert "There is no score and no certificate, and it cannot be published" in page


@pytest.mark.usefixtures("in_this_process")
def test_alice_reads_what_nobody_could_compare_as_not_known(client, alice):
    """The parent's rows have two numbers and hers three, so none is told to be one of the other."""
    parent = begun(alice, brought(alice))
    content = HEAD.replace(b"kind", b"depth,kind") + b"".join(
        line.replace(b",a", b",1,a").replace(b",b", b",2,b") for line in LINES
    )
    columns = [*KIND["columns"][:2], {"name": "depth", "kind": "number"}, *KIND["columns"][2:]]
    deeper = brought(alice, content=content, recipe=KIND | {"columns": columns})
    model = trained(further(alice, parent, deeper))
    assert validated(model).report["ancestors"]["not_compared"] == [parent.name]
    client.force_login(alice)
    said = (
        f"It began from {parent.name}. Which of the {deeper.test_rows} test rows were shown to "
        f"{parent.name} is not known, since rows are other numbers there."
    )
    for page in (model.get_absolute_url(), f"{model.get_absolute_url()}card.md"):
        told = client.get(page).content.decode()
        assert said in told
        assert "shown to an ancestor" not in told


@pytest.mark.usefixtures("in_this_process")
def test_rows_of_few_forms_are_alike_by_nature_and_are_certified(alice):
    rows = [(first, second, third) for first in "ab" for second in "xyz" for third in "mf"]
    lines = [f"{one},{two},{three},{'yes' if one == 'a' else 'no'}" for one, two, three in rows]
    content = "\n".join(["group,place,sex,target", *(lines * 12)]).encode()
    model = begun(alice, bring(alice, content, "csv"))
    validation = validated(model)
    assert validation.report["copies"]["share"] > 0.9
    assert validation.report["copies"]["share_by_chance"] > 0.9
    assert (validation.report["leaks"], validation.certificate != "") == ([], True)


@pytest.mark.usefixtures("in_this_process")
def test_one_row_that_happens_to_be_alike_costs_nothing(client, alice):
    """As in the irises of R. A. Fisher, two of which are the same."""
    model = begun(alice, brought(alice, content=HEAD + b"".join([*LINES, *LINES[:1]]), seed=3))
    validation = validated(model)
    assert validation.report["copies"]["seen"] <= 1
    assert (validation.report["leaks"], validation.certificate != "") == ([], True)


def test_wide_rows_that_alice_brought_twice_take_little_memory_and_their_worker_is_heard():
    """As wide as a picture of 50 × 50 in colours."""
    rng, beats = np.random.default_rng(0), []
    small = rng.random((64, 2), np.float32), (np.arange(64) % 2).astype(np.int32)
    network = {"type": "feedforward", "layers": [{"type": "dense", "units": 2}]}
    shape = DataShape((2,), Target.CLASSES, 2)
    found = subject(Judged.CLASSES, network, shape, *small, beat=beats.append)
    wide = rng.integers(0, 2, (20, 7_500)).astype(np.float32).repeat(2, axis=0)
    parts = np.tile(np.array([Part.TRAIN, Part.TEST], np.int8), 20)
    brought = replace(found, rows=Rows(wide, np.zeros(40, np.int32), parts))
    beats.clear()
    tracemalloc.start()
    counted = copies.trained_test_rows(brought)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (counted["seen"], counted["share_by_chance"]) == (20, 0.0)
    assert peak_bytes < 2_000 * wide.shape[1] * wide.itemsize / 2
    assert len(beats) > 10


@pytest.mark.parametrize("numbers", [1, 2, 1_000])
def test_rows_are_dealt_the_same_however_many_numbers_at_once(monkeypatch, numbers):
    monkeypatch.setattr(copies, "NUMBERS_DEALT", numbers)
    ends = [(0, 1), (1, 4), (4, 5), (5, 6)]
    lists = list(copies.at_once(ends))
    assert [each for some in lists for each in some] == ends
    assert len(lists) == {1: 4, 2: 3, 1_000: 1}[numbers]
