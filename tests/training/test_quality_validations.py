"""What a validation of each kind brings, who may sell with it, and what the page says of it."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from marketplace import services as marketplace
from marketplace.models import Plan
from tests.training.measuring import faults, measured, trained
from training import services as training
from training.models import Category, Export, Validation, Work
from training.runner import chunks, fairness, validations
from training.runner.figures import NO_OTHER, Figure

pytestmark = pytest.mark.usefixtures("shared_training")


def test_after_training_everything_is_measured_and_certified(model, digits):
    found = model.validations.get()
    assert (found.kind, found.progress, found.stage) == ("comprehensive", 1.0, "")
    assert found.metrics["accuracy"]["value"] == found.accuracy
    assert found.metrics["accuracy"]["low"] < found.accuracy < found.metrics["accuracy"]["high"]
    assert found.score == pytest.approx(1.0)
    assert found.certificate == "platinum"
    assert found.expires_at - found.finished_at == timedelta(days=30)
    assert {"robustness", "fairness", "importance", "scan", "server"} <= set(found.report)
    assert found.report["scan"]["state"] == "clean"
    assert found.report["fairness"] == {
        "state": "not assessed",
        "reason": fairness.NOT_DECLARED,
    }


def test_a_receipt_names_all_that_a_figure_stands_on(model, digits):
    receipt = model.validations.get().receipt
    assert receipt["dataset_sha256"] == digits.sha256
    assert receipt["model_sha256"] == model.sha256
    assert receipt["weights_sha256"] == model.weights_sha256
    assert receipt["kernel_hash"] == model.kernel_hash
    assert str(model.pk) in receipt["command"]
    assert {"accuracy", "roc_auc"} <= set(receipt["figures"])
    assert {"numpy", "scikit-learn", "wasmtime"} <= set(receipt["versions"])
    assert receipt["intervals"] == {
        "method": "percentile bootstrap",
        "level": 0.95,
        "drawn": "rows",
        "draws": 1_000,
        "seed": digits.split_seed,
        "figures": {"accuracy": {"method": "Wilson score"}},
    }


def test_the_same_figures_come_again(model, alice):
    first, second = model.validations.get(), measured(alice, model)
    assert first.metrics == second.metrics
    assert first.report["robustness"] == second.report["robustness"]
    assert first.report["importance"] == second.report["importance"]


@pytest.mark.parametrize(
    ("kind", "has", "has_not"),
    [
        ("performance", "latency_p50_ms", "accuracy"),
        ("accuracy", "accuracy", "latency_p50_ms"),
    ],
)
def test_a_kind_measures_only_what_it_says(model, alice, kind, has, has_not):
    found = measured(alice, model, kind=Validation.Kind(kind))
    assert getattr(found, has) is not None
    assert getattr(found, has_not) is None
    assert (found.certificate, found.score) == ("", None)
    assert model.validations.done().get() != found  # what is sold stays the full one


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["f1_score", "recall"], "accuracy"),
        (["latency", "memory"], "performance"),
        (["noise_resistance"], "robustness"),
        (["robustness_test"], "robustness"),
        (["latency", "f1_score"], "comprehensive"),
        (["bias_detection"], "comprehensive"),
        (["performance"], "performance"),
    ],
)
def test_the_original_names_of_tests_say_the_kind(trained, alice, names, kind):
    assert training.validate_model(actor=alice, model=trained, tests=names).kind == kind


def test_a_test_that_nobody_knows_is_named(trained, alice):
    with pytest.raises(training.InvalidValidation, match="'charm' is not one of performance"):
        training.validate_model(actor=alice, model=trained, tests=["charm"])


def test_noise_and_attacks_cost_accuracy_and_nonsense_is_refused(model):
    found = model.validations.get().report["robustness"]
    assert set(found["curves"]) == {"noise", "missing", "shift", "adversarial"}
    for points in found["curves"].values():
        assert points[0][0] == 0
        assert points[-1][1] < points[0][1]
    # an attack of 0.4 deviations costs far more than noise of 0.4
    noise = dict(map(tuple, found["curves"]["noise"]))
    attack = dict(map(tuple, found["curves"]["adversarial"]))
    assert attack[0.4] < noise[0.4] - 0.2
    assert [row["is_refused"] for row in found["refusals"]] == [True] * 4


def test_contributions_add_up_and_the_corners_of_digits_do_not_matter(model):
    looks = model.validations.get().report["importance"]
    assert all(row["gap"] <= 0.05 for row in looks["contributions"]["rows"])
    columns = {row["name"]: row["mean"] for row in looks["permutation"]["columns"]}
    assert len(columns) == 64
    assert columns["pixel_0_0"] == 0  # it is white in every picture
    assert max(columns.values()) > 0


def test_under_load_a_row_waits_longer(model):
    report = model.validations.get().report
    assert [row["load"] for row in report["server"]] == [0.5, 0.8]
    for row in report["server"]:
        assert row["calls"] == 2_010
        assert row["latency_p50_ms"] <= row["latency_p95_ms"] <= row["latency_p99_ms"]
    assert [row["batch_rows"] for row in report["throughput"]] == [1, 8, 32]
    assert report["cold_start_ms"] > report["mean_latency_ms"]


# Other splits


def test_folds_train_again_on_other_rows(alice):
    model = trained(alice, "iris")
    found = measured(alice, model, kind=Validation.Kind.ACCURACY, folds=3).report["folds"]
    assert len(found["values"]) == 3
    assert found["mean"] == pytest.approx(np.mean(found["values"]))
    assert found["rows"] == 150 - model.job.dataset.test_rows
    assert min(found["values"]) > 0.7
    again = measured(alice, model, kind=Validation.Kind.ACCURACY, folds=3).report["folds"]
    assert again == found


@pytest.mark.parametrize("folds", [1, 11])
def test_as_many_folds_as_are_fair(trained, alice, folds):
    with pytest.raises(training.InvalidValidation, match="2 to 10"):
        training.validate_model(actor=alice, model=trained, folds=folds)


def test_long_trainings_are_not_folded(trained, alice):
    trained.job.compute_seconds = 100
    with pytest.raises(training.InvalidValidation, match="about 300 s; at most 120 s"):
        training.validate_model(actor=alice, model=trained, folds=3)


# The gate


def test_alice_publishes_what_nothing_stands_against(model):
    assert training.publication_faults(model=model) == []


def change(validation, **fields) -> None:
    """As only somebody can who may switch the triggers of the database off."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        Validation.objects.filter(pk=validation.pk).update(**fields)
        cursor.execute("SET session_replication_role = origin")


def test_what_was_measured_is_never_changed(model):
    with pytest.raises(IntegrityError, match="rows are never changed"), transaction.atomic():
        model.validations.update(score=1.0)


def test_an_old_validation_is_measured_anew(model, alice):
    change(model.validations.get(), expires_at=timezone.now() - timedelta(seconds=1))
    assert "more than 30 days old" in faults(model)
    with pytest.raises(marketplace.NotValidated, match="30 days old. Have the model validated"):
        marketplace.publish_template(
            owner=alice,
            model=model,
            name="Old",
            description="Old figures.",
            category=Category.VISION,
            plan=Plan.FREE,
        )
    measured(alice, model)
    assert faults(model) == ""


def test_figures_of_other_weights_sell_nothing(model):
    found = model.validations.get()
    change(found, receipt=found.receipt | {"weights_sha256": "0" * 64})
    assert "does not name just these weights" in faults(model)


def test_a_flagged_file_is_not_passed_on(model):
    found = model.validations.get()
    scan = {"state": "flagged", "findings": [{"message": "holds a pickle"}]}
    change(found, report=found.report | {"scan": scan})
    assert "not clean: holds a pickle" in faults(model)


def test_what_is_no_better_than_guessing_is_not_sold(model):
    found = model.validations.get()
    guessing = found.metrics["accuracy"] | {"value": found.metrics["accuracy"]["baseline"]}
    change(found, metrics=found.metrics | {"accuracy": guessing})
    assert "not better than its baseline" in faults(model)


def test_alice_reads_why_a_figure_without_a_baseline_has_no_certificate(client, alice, model):
    """The figure has a value, so it is not among those that have none; another may be."""
    found = model.validations.get()
    error = {"value": 0.2, "low": 0.1, "high": 0.3, "lower_is_better": True}
    report = found.report | {"primary": "reconstruction_error", "undefined": {"mase": "of zeros"}}
    del report["certificate"]
    metrics = {"reconstruction_error": error}
    fields = validations.certified({"report": report, "metrics": metrics})
    assert set(fields) == {"report"}
    assert fields["report"]["undefined"] == {"mase": "of zeros"}
    fields["report"]["undefined"] = {}
    change(found, metrics=metrics, certificate="", expires_at=None, **fields)
    why = "reconstruction error is held against what is had without a network, which is not finite"
    assert f"It has no certificate, because {why}" in faults(model)
    assert "30 days" not in faults(model)
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert f"There is no score and no certificate: {why}" in page
    assert "has no value" not in page
    card = training.write_card(model=model)
    assert f"There is no certificate: {why}" in card
    assert "There is no reconstruction error" not in card
    assert f"it has no certificate: {why}" in training.write_bill(model=model)


def test_performance_alone_opens_no_gate(job, alice):
    chunks.run_turn()
    job.refresh_from_db()
    assert "A worker is at it" in faults(job.model)
    job.model.validations.all().delete()
    measured(alice, job.model, kind=Validation.Kind.PERFORMANCE)
    assert "no finished validation yet. Validate it with everything" in faults(job.model)


# Doors


def test_alice_asks_for_robustness_on_the_page_and_sees_it(client, alice, model):
    client.force_login(alice)
    client.post(reverse("training:validate_model", args=[model.pk]), {"kind": "robustness"})
    waiting = client.get(model.get_absolute_url()).content.decode()
    assert "A worker is measuring" in waiting
    asked = model.validations.filter(status=Work.Status.QUEUED).get()
    assert asked.kind == "robustness"
    validations.validate_model(str(asked.pk))
    page = client.get(model.get_absolute_url()).content.decode()
    assert "Robustness, measured" in page
    assert "Adversarial (FGSM)" in page


def test_the_page_shows_figures_with_what_bounds_them(client, alice, model):
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    for told in ("95 % sure", "always the commonest class", "Platinum", "Not assessed", "Receipt"):
        assert told in page
    assert model.validations.get().receipt["dataset_sha256"] in page


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            {
                "method": "percentile bootstrap",
                "level": 0.95,
                "drawn": "rows",
                "draws": 1_000,
                "seed": 0,
                "accuracy": "Wilson score",
            },
            "By percentile bootstrap, 1,000 draws of rows; accuracy by Wilson score.",
        ),
        ({}, "about 95 would hold the value of endlessly many.</p>"),
    ],
)
def test_alice_reads_an_old_validation_as_its_receipt_says_it(client, alice, model, stated, said):
    found = model.validations.get()
    change(found, receipt=found.receipt | {"intervals": stated})
    client.force_login(alice)
    assert said in client.get(model.get_absolute_url()).content.decode()


def test_alice_reads_an_old_report_that_knows_less(client, alice, model):
    """What it does not say is not asked for, by page, card or bill."""
    found = model.validations.get()
    shown = {"models": ["Elder"], "rows": 270, "seen": 1, "share": 1 / 270, "not_compared": []}
    rate = {"class": "yes", "highest": "f", "lowest": "x", "rows_of_both": 1}
    groups = [{"name": n, "rows": 60, "value": 0.5, "low": 0.4, "high": 0.6} for n in "fmx"]
    sexes = {"column": "sex", "groups": groups, "rates": [rate], "flags": []}
    fair = {"state": "assessed", "threshold": 0.1, "rows_least": 50, "columns": [sexes]}
    report = found.report | {"ancestors": shown, "fairness": fair}
    del report["leaks"], report["copies"]
    change(found, report=report)
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "It began from Elder. Of the 270 test rows 1 (0.3704 %) was shown to an ancestor" in page
    assert "say too much" not in page
    assert "Nothing was tested: of the two groups that differ most" in page
    assert "It began from Elder." in training.write_card(model=model)
    assert "say too much" not in training.write_bill(model=model)


def test_alice_reads_why_a_figure_has_no_interval(client, alice, model):
    """Rows that are all right are not right for good."""
    found = model.validations.get()
    stored = Figure(1.0, np.nan, np.nan, 0.1, "always the commonest class").to_json()
    older = {"value": 0.999, "low": 0.999, "high": 0.999}
    metrics = {"f1_weighted": stored, "roc_auc": stored, "precision": older}
    change(found, metrics=found.metrics | metrics)
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "99.9 to 99.9" not in page
    assert page.count(f"no interval: {NO_OTHER}") == 3
    assert f"no interval: {NO_OTHER} · 10 for always the commonest class" in page
    card = training.write_card(model=model)
    assert f"There is no interval of roc auc, f1 weighted: {NO_OTHER}." in card


def test_a_kind_that_does_not_exist_is_refused_on_the_page(client, alice, trained):
    client.force_login(alice)
    answer = client.post(reverse("training:validate_model", args=[trained.pk]), {"kind": "charm"})
    assert answer.status_code == 422
    assert trained.validations.count() == 1


def test_a_file_that_was_made_of_the_model_must_be_clean_too(model):
    finding = {"check": "content", "message": "holds a pickle"}
    Export.objects.create(
        model=model,
        kind=Export.Kind.ONNX,
        status=Work.Status.DONE,
        sha256="0" * 64,
        size_bytes=1,
        scan={"state": "flagged", "findings": [finding]},
    )
    assert "The scan of its ONNX file is not clean: holds a pickle." in faults(model)
