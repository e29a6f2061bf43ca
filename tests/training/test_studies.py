"""What the divergent patterns change is measured beside the plain run, and told as measured."""

import numpy as np
import pytest

from training import services as training
from training.models import PatternStudy, Work
from training.runner import studies
from training.services.studies import Effect


@pytest.fixture
def study(digits):
    training.study_patterns()
    found = PatternStudy.objects.get(dataset=digits)
    config = {**found.config, "training": {**found.config["training"], "epochs": 2}}
    PatternStudy.objects.filter(pk=found.pk).update(config=config, seeds=2)
    return found


def test_every_pattern_is_measured_with_the_seeds_of_the_plain_run(study):
    studies.study_patterns(str(study.pk))
    study.refresh_from_db()
    assert study.status == Work.Status.DONE
    assert set(study.figures) == {"lateral", "quantum", "chaotic", "associative", "evolutionary"}
    for rows in study.figures.values():
        assert [row["seed"] for row in rows] == [0, 1]
        assert rows[0]["plain_loss"] != rows[1]["plain_loss"]
    plain = {tuple(row["plain_loss"] for row in rows) for rows in study.figures.values()}
    assert len(plain) == 1
    assert len({rows[0]["loss"] for rows in study.figures.values()} | {*plain.pop()}) > 3


def test_a_study_waits_for_rows_that_are_being_prepared(db):
    iris = training.add_bundled_dataset(slug="iris")
    (study,) = training.study_patterns()
    studies.study_patterns(str(study.pk))
    study.refresh_from_db()
    assert study.dataset == iris
    assert not study.is_over
    assert study.lease_until is None


def test_loss_and_accuracy_are_those_of_the_right_classes():
    probabilities = np.array([[0.5, 0.5], [0.75, 0.25]], dtype=np.float32)
    found = studies.outcome_of(probabilities, np.array([1, 1]))
    assert found.loss == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert found.accuracy == 0.0


def test_a_visitor_reads_each_formula_and_what_it_changed(study, client):
    empty = client.get("/patterns/").content.decode()
    assert "Not measured here yet" in empty
    assert "3.99 · x · (1 - x)" in empty
    studies.study_patterns(str(study.pk))
    page = client.get("/patterns/").content.decode()
    assert "Not measured here yet" not in page
    assert page.count("<figure") == 5


def test_a_difference_that_chance_would_bring_is_not_called_clear(digits):
    def effect(loss):
        return Effect(dataset=digits, loss=loss, loss_error=0.1, accuracy=0.0)

    assert not effect(0.19).is_clear
    assert effect(-0.21).is_clear
