"""What is said of groups of people: by which names, of which rows, and when nothing is."""

from dataclasses import replace

import numpy as np
import pytest

from kernels import build
from tests.training.measuring import measured, trained_on
from tests.training.test_quality_validations import change
from tests.training.uploads import bring
from training import services as training
from training.models import Tier
from training.runner import chunks, fairness
from training.runner.figures import finite
from training.runner.subjects import subject_of
from training.templatetags.measured import uncompared, unflagged

SMALL = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 4}]},
    "training": {"epochs": 2, "batch_size": 32, "learning_rate": 0.01, "optimizer": "adam"},
}
COLUMNS = [
    {"name": "length", "kind": "number", "role": "feature"},
    {"name": "sex", "kind": "category", "role": "ignored", "sensitive": True},
    {"name": "age", "kind": "number", "role": "ignored", "sensitive": True},
    {"name": "hired", "kind": "category", "role": "target"},
]


def people(sexes: tuple[str, ...]) -> bytes:
    """400 of them, whose sex is one of these in turn; the longer are hired."""
    lines = ["length,sex,age,hired"]
    for row in range(400):
        length = row * 37 % 100
        hired = "yes" if length > 50 else "no"
        lines.append(f"{length},{sexes[row % len(sexes)]},{20 + row % 60},{hired}")
    return "\n".join(lines).encode()


def assessed(owner, sexes: tuple[str, ...]):
    """The dataset, and what a validation finds in the groups of a model trained on it."""
    recipe = {"kind": "table", "columns": COLUMNS}
    dataset = bring(owner, people(sexes), "csv", asked=recipe)
    assert dataset.error_message == ""
    job = training.submit_job(owner=owner, dataset=dataset, config=SMALL, tier=Tier.NANO)
    while not job.is_over:
        chunks.run_turn()
        job.refresh_from_db()
    subject = subject_of(job, job.model.sha256, module=build.module(), beat=int)
    return dataset, subject, fairness.measure(subject)


def test_groups_have_the_names_that_their_dataset_was_prepared_with(alice, in_this_process):
    """A category that the recipe lists no values of, and a number that became quarters."""
    dataset, subject, found = assessed(alice, ("f", "m"))
    assert all(not column.get("values") for column in dataset.recipe["columns"][1:3])
    sexes, ages = found["columns"]
    assert [group["name"] for group in sexes["groups"]] == ["f", "m"]
    assert {group["name"] for group in ages["groups"]} == set(dataset.report["groups"][1]["names"])
    assert sum(group["rows"] for group in sexes["groups"]) == len(subject.test)
    assert (found["state"], sexes["rows_without"]) == ("not tested", 0)


def test_rows_without_a_value_are_in_no_group_and_counted(alice, in_this_process):
    _, subject, found = assessed(alice, ("f", "", "m"))
    sexes = found["columns"][0]
    without = int((subject.test.groups[:, 0] == -1).sum())
    assert without > 10
    assert sexes["rows_without"] == without
    assert [group["name"] for group in sexes["groups"]] == ["f", "m"]
    assert sum(group["rows"] for group in sexes["groups"]) == len(subject.test) - without


def test_one_group_alone_is_compared_with_nobody(alice, in_this_process):
    _, _, found = assessed(alice, ("f", ""))
    sexes = found["columns"][0]
    assert sexes["reason"] == "Not compared: only “f” has rows among those of the test."
    assert "groups" not in sexes


def test_nothing_is_assessed_where_no_test_row_has_a_value(alice, in_this_process):
    _, subject, _ = assessed(alice, ("f", "m"))
    nobody = np.full_like(subject.rows.groups, -1)
    found = fairness.measure(replace(subject, rows=replace(subject.rows, groups=nobody)))
    assert found["state"] == "not assessed"
    assert {column["reason"] for column in found["columns"]} == {
        "Not compared: no group has rows among those of the test."
    }


def test_a_class_that_one_group_is_given_more_often_is_flagged():
    labels = np.array(["a"] * 200 + ["b"] * 200)
    guesses = np.array([1] * 160 + [0] * 40 + [1] * 60 + [0] * 140)
    found = fairness.of_classes(guesses, guesses, labels, ("no", "yes"), seed=0)
    (rate,) = found["rates"]
    assert rate["difference"] == pytest.approx(0.8 - 0.3)
    assert rate["ratio"] == pytest.approx(0.3 / 0.8)
    assert rate["difference_low"] < 0.5 < rate["difference_high"]
    assert len(found["flags"]) == 1
    assert [group["rows"] for group in found["groups"]] == [200, 200]


def test_a_class_that_nobody_is_given_has_no_ratio_and_is_stored_without():
    labels, nobody = np.array(["a", "b"] * 30), np.zeros(60, int)
    (rate,) = finite(fairness.of_classes(nobody, nobody, labels, ("no", "yes"), seed=0))["rates"]
    assert (rate["difference"], rate["ratio"]) == (0, None)


def test_few_rows_or_an_interval_that_reaches_the_threshold_flag_nothing():
    few = np.array(["a"] * 200 + ["b"] * 20)
    guesses = np.array([1] * 180 + [0] * 20 + [0] * 20)
    assert fairness.of_classes(guesses, guesses, few, ("no", "yes"), seed=0)["flags"] == []
    labels = np.array(["a"] * 100 + ["b"] * 100)
    close = np.array([1] * 55 + [0] * 45 + [1] * 42 + [0] * 58)
    found = fairness.of_classes(close, close, labels, ("no", "yes"), seed=0)
    assert found["rates"][0]["difference"] == pytest.approx(0.13)
    assert found["flags"] == []


def test_groups_too_small_to_be_told_apart_are_not_said_to_be_alike():
    whole = {"threshold": fairness.THRESHOLD, "rows_least": fairness.ROWS_LEAST}

    def said(sizes: dict[str, int]) -> str:
        labels = np.repeat(list(sizes), list(sizes.values()))
        guesses = np.arange(len(labels)) % 2
        found = fairness.of_classes(guesses, guesses, labels, ("no", "yes"), seed=0)
        return unflagged(found, whole)

    assert said({"a": 14, "b": 8}).startswith("Nothing was tested: no two groups have 50 rows")
    assert said({"a": 60, "b": 60, "c": 1}).startswith("No difference above 10 points shows")
    assert said({"a": 60, "b": 60}).startswith("No difference above 10 points shows between")


def test_one_person_of_a_third_group_does_not_hide_how_two_others_are_treated():
    labels = np.array(["a"] * 200 + ["b"] * 200 + ["mallory"])
    guesses = np.array([1] * 160 + [0] * 40 + [1] * 60 + [0] * 140 + [0])
    found = fairness.of_classes(guesses, guesses, labels, ("no", "yes"), seed=0)
    (rate,) = found["rates"]
    assert (rate["highest"], rate["lowest"], rate["rows_of_both"]) == ("a", "b", 200)
    assert rate["difference"] == pytest.approx(0.8 - 0.3)
    assert rate["ratio"] == pytest.approx(0.3 / 0.8)
    assert rate["selection_rates"]["mallory"] == 0
    (flag,) = found["flags"]
    assert flag.startswith("yes: “a” is answered with it more often than “b”")
    assert (found["compared"], uncompared(found)) == (["a", "b"], ["mallory"])


def test_alice_reads_an_older_report_as_it_was_measured():
    """It took one person for a group that differs most, and then tested nothing."""
    groups = [{"name": name, "rows": rows} for name, rows in (("a", 60), ("b", 60), ("c", 1))]
    old = {"groups": groups, "rates": [{"rows_of_both": 1}], "flags": []}
    told = unflagged(old, {"threshold": 0.1, "rows_least": 50})
    assert told.startswith("Nothing was tested: of the two groups")
    assert uncompared(old) == []


def test_bob_reads_on_the_card_what_became_of_groups_of_people(alice, model):
    """Nothing is said to be alike that was not compared, and no difference stays on the page."""
    found = model.validations.get()

    def said(fair: dict) -> str:
        change(found, report=found.report | {"fairness": fair})
        return training.write_card(model=model)

    for state in ("not assessed", "not tested"):
        assert f"Whether it treats groups of people alike was {state}." in said({"state": state})
    flag = "yes: “a” is answered with it more often than “b”, by at least 20%."
    columns = [{"column": "sex", "flags": [flag]}, {"column": "age", "flags": []}]
    card = said({"state": "differences found", "columns": columns})
    assert f"- Groups by sex differ. {flag}" in card
    assert "treats groups of people alike" not in card


def test_alice_reads_which_of_two_targets_her_groups_are_compared_by(
    client, alice, in_this_process
):
    lines = [f"{row * 37 % 100},{'fm'[row % 2]},{row % 9},{row % 7}" for row in range(400)]
    columns = [
        COLUMNS[0],
        COLUMNS[1],
        {"name": "height", "kind": "number", "role": "target"},
        {"name": "weight", "kind": "number", "role": "target"},
    ]
    table = "\n".join(["length,sex,height,weight", *lines]).encode()
    dataset = bring(alice, table, "csv", asked={"kind": "table", "columns": columns})
    assert dataset.error_message == ""
    model = trained_on(alice, dataset, SMALL)
    found = measured(alice, model)
    (sexes,) = found.report["fairness"]["columns"]
    assert (sexes["target"], sexes["targets"]) == ("height", 2)
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "Of 2 numbers that it answers, only height is compared here." in page
