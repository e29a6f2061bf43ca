"""What is measured of each kind of data, and what of data that define no figure."""

from dataclasses import replace

import numpy as np
import pytest
from django.db import connection
from django.urls import reverse

from kernels import build
from kernels.predictor import Predictor
from tests.training.measuring import TINY, faults, measured, trained, trained_on
from tests.training.uploads import bring
from training import services as training
from training.models import Dataset, Validation, Work
from training.runner import blobs, episodes
from training.runner.figures import bootstrapped
from training.runner.quality import episodic, generation
from training.runner.rows import Part, pack, unpack
from training.runner.subjects import subject_of


def test_values_are_measured_by_r2_and_against_the_mean(alice):
    model = trained(alice, "diabetes", TINY | {"training": TINY["training"] | {"epochs": 40}})
    found = measured(alice, model)
    test = unpack(blobs.get(model.job.dataset.sha256)).only(Part.TEST)
    assert found.rows == len(test)
    assert set(found.metrics) == {"r2", "mean_absolute_error", "root_mean_squared_error"}
    assert found.metrics["r2"]["value"] > 0.3
    assert found.metrics["r2"]["baseline"] == pytest.approx(0, abs=0.05)
    assert found.accuracy is None
    assert {fault.url.partition("#")[2] for fault in training.publication_faults(model=model)} == {
        "id_licence",
        "id_intended_use",
        "id_limits",
        "id_ethics",
    }


def test_one_test_row_is_too_few_and_alice_reads_what_to_do(alice):
    model = trained(alice, "diabetes", TINY | {"training": TINY["training"] | {"epochs": 1}})
    dataset = model.job.dataset
    rows = unpack(blobs.get(dataset.sha256))
    parts = rows.parts.copy()
    parts[rows.numbers(Part.TEST)[1:]] = Part.TRAIN
    sha256 = blobs.put(pack(replace(rows, parts=parts)))
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        Dataset.objects.filter(pk=dataset.pk).update(sha256=sha256)
        cursor.execute("SET session_replication_role = DEFAULT")
    for kind in (Validation.Kind.ACCURACY, Validation.Kind.ROBUSTNESS):
        found = measured(alice, model, kind=kind)
        assert (found.status, found.error_code) == (Work.Status.FAILED, "too_few_rows")
        assert "on 1 of them, it needs 2. Bring a dataset with more rows" in found.error_message


def test_a_forecast_is_measured_against_the_season_before(alice):
    config = {
        "architecture": {
            "type": "feedforward",
            "layers": [{"type": "flatten"}, {"type": "dense", "units": 8, "activation": "linear"}],
        },
        "training": {"epochs": 30, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"},
    }
    model = trained(alice, "co2", config)
    found = measured(alice, model)
    rows = unpack(blobs.get(model.job.dataset.sha256))
    test, train = rows.only(Part.TEST), rows.only(Part.TRAIN)
    # 52 weeks before the first week foretold is the first of the 52 that are seen
    naive = np.abs(test.targets - test.features[:, :13, 0]).mean(dtype=np.float64)
    scale = np.abs(train.targets[:, 0] - train.features[:, 0, 0]).mean(dtype=np.float64)
    assert found.metrics["mase"]["baseline"] == pytest.approx(naive / scale, rel=1e-5)
    assert found.metrics["mase"]["value"] < found.metrics["mase"]["baseline"]
    assert len(found.report["backtest"]["actual"]) == len(test)


def test_a_forecast_of_what_never_changed_has_no_mase_and_everybody_reads_why(
    client, alice, in_this_process
):
    """The training months are all alike, so the season before is right and its error 0."""
    lines = [
        f"{2000 + month // 12}-{month % 12 + 1:02}-01,{5 if month < 190 else month % 7}"
        for month in range(240)
    ]
    columns = [
        {"name": "month", "kind": "date", "role": "time"},
        {"name": "gas", "kind": "number", "role": "target"},
    ]
    recipe = {"kind": "series", "columns": columns, "window": 4, "horizon": 1, "season": 1}
    dataset = bring(alice, "\n".join(["month,gas", *lines]).encode(), "csv", asked=recipe)
    assert dataset.error_message == ""
    model = trained_on(alice, dataset)
    found = measured(alice, model)
    assert (found.status, found.error_message) == ("done", "")
    assert set(found.metrics) == {"smape", "mean_absolute_error"}
    assert found.report["primary"] == "mase"
    why = "so repeating it errs by 0"
    assert why in found.report["undefined"]["mase"]
    assert (found.certificate, found.score, found.expires_at) == ("", None, None)
    assert why in found.report["robustness"]["not_tried"]["all"]
    assert why in found.report["importance"]["not_tried"]["permutation"]
    assert "It has no certificate, because mase has no value" in faults(model)
    assert "days old" not in faults(model)
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert "There is no score and no certificate: MASE has no value" in page
    assert "MASE" in client.get(reverse("training:models")).content.decode()
    assert "There is no mase: over the training rows" in training.write_card(model=model)


def test_generated_digits_are_nearer_than_numbers_drawn_each_for_itself(client, alice):
    (preset,) = (each for each in training.presets_of("digits") if each.name == "digits-vae")
    model = trained(alice, "digits", preset.config)
    found = measured(alice, model)
    distance = found.metrics["frechet_distance"]
    assert distance["low"] <= distance["value"] <= distance["high"]
    assert distance["value"] < distance["baseline"]
    # the training rows themselves are nearer still
    assert found.report["training_distance"]["frechet_distance"] < distance["value"]
    assert len(found.report["samples"]) == 25
    assert found.report["judge"]["accuracy"] > 0.85
    assert found.report["robustness"]["curves"] == {}
    halves = generation.HALVES.to_json()
    assert found.receipt["intervals"].items() >= halves.items()
    assert found.receipt["intervals"]["figures"] == {
        "kernel_distance": halves | {"draws": 50},
        "sample_confidence": bootstrapped(1_000, "samples").to_json(),
    }
    client.force_login(alice)
    page = client.get(model.get_absolute_url()).content.decode()
    assert (
        "<dd>95 %, by percentiles without replacement, centred on the value, 200 draws of halves "
        "of samples and rows; kernel distance by the same with 50 draws; confidence in samples by "
        "percentile bootstrap, 1,000 draws of samples</dd>"
    ) in page
    assert "Confidence in samples by percentile bootstrap, 1,000 draws of samples." in page


def test_a_player_is_judged_by_episodes_that_no_training_played(alice):
    """The kept library plays them; our own physics, which trained, must come to the same."""
    (preset,) = training.presets_of("cartpole")
    short = preset.config["training"] | {"epochs": 4}  # whether it plays well is no matter here
    model = trained(alice, "cartpole", preset.config | {"training": short})
    found = measured(alice, model)
    predictor = Predictor(blobs.get(model.sha256), module=build.module())
    returns = episodes.evaluate(predictor, episodes=100, seed=episodic.FIRST_SEED)
    assert found.metrics["mean_return"]["value"] == pytest.approx(returns.mean(), abs=1)
    assert found.metrics["mean_return"]["baseline"] == pytest.approx(22, abs=5)  # by lot
    assert found.report["replay"]["return"] == returns[0]


def test_rows_of_a_group_are_drawn_together_and_the_receipt_says_so(alice, in_this_process):
    """Ten rows of each of thirty patients, split by patient."""
    lines = [
        f"{row // 10},{row // 10 + row % 10 / 20},{'ill' if row % 20 < 10 else 'well'}"
        for row in range(300)
    ]
    split = {"kind": "group", "column": "patient", "train": 0.6, "validation": 0.2, "test": 0.2}
    columns = [
        {"name": "patient", "kind": "category", "role": "group"},
        {"name": "weight", "kind": "number"},
        {"name": "is", "kind": "category", "role": "target"},
    ]
    recipe = {"kind": "table", "columns": columns}
    table = "\n".join(["patient,weight,is", *lines]).encode()
    dataset = bring(alice, table, "csv", asked=recipe, split=split)
    assert dataset.error_message == ""
    model = trained_on(alice, dataset)
    found = measured(alice, model, kind=Validation.Kind.ACCURACY)
    patients = dataset.test_rows // 10
    assert found.receipt["intervals"]["drawn"] == f"{patients} whole groups of rows"
    assert found.metrics["accuracy"]["value"] in (0, 1)  # so no draw of patients gives another
    assert found.metrics["accuracy"]["high"] - found.metrics["accuracy"]["low"] > 0.3
    as_of = {"method": f"Wilson score as of {patients} rows"}
    assert found.receipt["intervals"]["figures"] == {"accuracy": as_of}
    subject = subject_of(model.job, model.sha256, module=build.module(), beat=int)
    assert len(np.unique(subject.units(dataset.test_rows))) == patients
