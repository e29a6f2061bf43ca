"""Figures and intervals against scikit-learn, against sums done by hand, and against chance."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from kernels.data import Target
from training.runner import certificates
from training.runner.fairness import of_class
from training.runner.figures import NO_OTHER, Figure, bootstrap, draws_of, finite, mean_interval
from training.runner.quality import (
    anomalies,
    classification,
    forecasting,
    generation,
    language,
    ranks,
    regression,
)
from training.runner.quality.shares import alike_interval, share_interval
from training.templatetags.measured import threshold_hint


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def test_draws_are_of_as_many_rows_and_repeat_with_their_seed():
    counts = draws_of(50, seed=3, draws=200, block=1)
    assert (counts.sum(axis=1) == 50).all()
    assert (counts == draws_of(50, seed=3, draws=200, block=1)).all()
    assert not (counts == draws_of(50, seed=4, draws=200, block=1)).all()


def test_neighbours_are_drawn_together():
    counts = draws_of(100, seed=1, draws=50, block=10)
    assert (counts.sum(axis=1) == 100).all()
    alone = draws_of(100, seed=1, draws=50, block=1)

    def alike(counts):
        return np.mean([np.corrcoef(row[:-1], row[1:])[0, 1] for row in counts])

    assert alike(counts) > 0.7 > 0.2 > alike(alone)


def test_the_interval_of_a_mean_is_that_of_the_textbook(rng):
    values = rng.normal(5.0, 2.0, 400)
    low, high = mean_interval(values, seed=0)
    half = 1.96 * values.std(ddof=1) / 20
    assert low == pytest.approx(values.mean() - half, abs=0.04)
    assert high == pytest.approx(values.mean() + half, abs=0.04)


def test_95_of_100_intervals_hold_the_truth(rng):
    held = 0
    for trial in range(100):
        low, high = mean_interval(rng.exponential(1.0, 80), seed=trial)
        held += low <= 1.0 <= high
    assert 0.85 <= held / 100 <= 0.99  # a skewed mean of 80 rows is a little too narrow


def test_long_tables_are_drawn_in_parts_to_the_same_number_of_draws(monkeypatch):
    monkeypatch.setattr("training.runner.figures.NUMBERS_AT_ONCE", 300)
    seen = []
    bootstrap(100, lambda counts: seen.append(len(counts)) or counts[:, :1], seed=0, draws=10)
    assert seen == [3, 3, 3, 1]


def test_a_draw_without_a_figure_is_not_counted():
    odd = np.array([[1.0, np.nan], [np.inf, np.nan], [3.0, -np.inf], [np.nan, np.nan]])
    ends = bootstrap(4, lambda counts: odd, seed=0, draws=4)
    assert ends[:, 0] == pytest.approx([1.05, 2.95])
    assert np.isnan(ends[:, 1]).all()
    stored = Figure(0.5, *ends[:, 1], baseline=np.inf).to_json()
    assert stored == {"value": 0.5, "no_interval": NO_OTHER}


def test_what_is_stored_has_no_number_that_json_does_not_know():
    found = finite({"ratio": np.nan, "rows": [(1.0, np.float64("inf")), "nan", 3, True]})
    assert found == {"ratio": None, "rows": [[1.0, None], "nan", 3, True]}


@pytest.mark.parametrize("distinct", [5, 1_000])
def test_areas_of_many_draws_are_those_of_scikit_learn(rng, distinct):
    is_yes = rng.random(60) < 0.4
    scores = rng.integers(0, distinct, 60) / distinct + 0.3 * is_yes
    counts = draws_of(60, seed=0, draws=20, block=1)
    for ours, theirs in (
        (ranks.roc_auc, roc_auc_score),
        (ranks.average_precision, average_precision_score),
    ):
        wanted = [theirs(is_yes, scores, sample_weight=row) for row in counts]
        assert ours(counts, scores, is_yes) == pytest.approx(wanted)


def test_a_figure_knows_whether_it_beats_its_baseline():
    assert Figure(0.9, baseline=0.5).is_better is True
    assert Figure(0.9, baseline=0.5, lower_is_better=True).is_better is False
    assert Figure(0.9).is_better is None
    assert Figure(0.5, baseline=0.5).is_better is False


# Classes


def test_shares_of_a_small_table_counted_by_hand():
    truth = np.array([0, 0, 0, 1, 1, 2])
    guesses = np.array([0, 0, 1, 1, 1, 0])
    found = classification.shares(truth, guesses, 0, classes=3, seed=0)
    assert found["accuracy"].value == pytest.approx(4 / 6)
    assert found["accuracy"].baseline == pytest.approx(3 / 6)
    assert found["precision"].value == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    assert found["recall"].value == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert found["f1"].value == pytest.approx((2 / 3 + 4 / 5 + 0) / 3)
    assert found["f1_weighted"].value == pytest.approx((3 * 2 / 3 + 2 * 4 / 5 + 0) / 6)
    # Wilson by hand: 4 of 6, z = 1.96
    z, n, p = 1.959964, 6, 4 / 6
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert (found["accuracy"].low, found["accuracy"].high) == pytest.approx(
        (centre - half, centre + half), abs=1e-4
    )


def test_the_interval_of_f1_is_drawn_from_the_same_rows(rng):
    truth, guesses = rng.integers(0, 3, 40), rng.integers(0, 3, 40)
    counts = draws_of(40, seed=0, draws=5, block=1)
    found = classification.drawn_averages(truth, guesses, 3)(counts)
    for row, drawn in zip(found, counts.astype(int), strict=True):
        again, said = np.repeat(truth, drawn), np.repeat(guesses, drawn)
        assert row[:3] == pytest.approx(classification.averages(again, said, 3, "macro"))
        assert row[3:] == pytest.approx(classification.averages(again, said, 3, "weighted"))


def test_calibration_is_the_distance_of_confidence_and_accuracy():
    sure = np.array([0.95, 0.95, 0.95, 0.95, 0.65, 0.65])
    chances = np.stack([sure, 1 - sure], axis=1)
    truth = np.array([0, 0, 0, 1, 0, 1])
    figure, bins = classification.calibration(truth, chances, seed=0)
    assert figure.value == pytest.approx((4 * abs(0.75 - 0.95) + 2 * abs(0.5 - 0.65)) / 6)
    assert [(row["rows"], row["accuracy"]) for row in bins] == [(2, 0.5), (4, 0.75)]


def test_a_model_that_says_what_it_knows_is_well_calibrated(rng):
    sure = rng.uniform(0.5, 1.0, 5_000)
    truth = (rng.random(5_000) > sure).astype(int)
    figure, _ = classification.calibration(truth, np.stack([sure, 1 - sure], axis=1), seed=0)
    assert figure.value < 0.03


def test_areas_of_several_classes_are_means_over_those_that_occur(rng):
    chances = rng.dirichlet(np.ones(4), 50)
    truth = rng.integers(0, 3, 50)  # the fourth does not occur
    value = classification.areas(truth, chances, seed=0)["roc_auc"].value
    wanted = [roc_auc_score(truth == one, chances[:, one]) for one in range(3)]
    assert value == pytest.approx(np.mean(wanted))
    assert classification.areas(np.zeros(50, int), chances, seed=0) == {}


def test_marks_are_questions_of_yes_or_no():
    chances, truth = classification.flat(
        np.array([[0.9, 0.2]]), np.array([[1.0, 0.0]]), Target.MARKS
    )
    assert chances.argmax(axis=1).tolist() == truth.tolist() == [1, 0]


# Values and forecasts


def test_values_are_judged_as_one_does_by_hand():
    truth, found = np.array([[1.0], [2.0], [3.0], [6.0]]), np.array([[1.0], [2.0], [4.0], [4.0]])
    figures = regression.distances(truth, found, np.full((4, 1), 2.0), seed=0)
    assert figures["mean_absolute_error"].value == pytest.approx(3 / 4)
    assert figures["root_mean_squared_error"].value == pytest.approx(np.sqrt(5 / 4))
    assert figures["r2"].value == pytest.approx(1 - 5 / 14)  # the mean is 3: 4 + 1 + 0 + 9
    assert figures["mean_absolute_error"].baseline == pytest.approx((1 + 0 + 1 + 4) / 4)


def test_r2_of_a_draw_is_that_of_its_rows(rng):
    truth = rng.normal(1e4, 1.0, (30, 1))
    found = truth + rng.normal(0, 0.5, (30, 1))
    counts = draws_of(30, seed=0, draws=5, block=1)
    drawn = regression.drawn(truth, found)(counts)
    for row, count in zip(drawn, counts.astype(int), strict=True):
        again, said = np.repeat(truth, count, axis=0), np.repeat(found, count, axis=0)
        assert row[0] == pytest.approx(regression.r2_score(again, said))


@pytest.mark.parametrize("constant", [7.0, 0.1])
def test_r2_of_rows_that_are_all_the_same_has_no_interval(constant):
    truth = np.full((12, 1), np.float32(constant), np.float64)
    found = truth + np.linspace(-1, 1, 12)[:, None]
    figures = regression.distances(truth, found, truth, seed=0)
    assert set(figures["r2"].to_json()) == {"value", "no_interval", "baseline", "baseline_name"}
    assert {"low", "high"} <= set(figures["mean_absolute_error"].to_json())


def test_draws_of_rows_that_are_the_same_do_not_widen_r2():
    truth = np.array([[0.1], [0.1], [0.7], [0.3]])
    low, high = bootstrap(4, regression.drawn(truth, truth + 0.01), seed=0)[:, 0]
    assert 0.5 < low <= high <= 1


def test_percentages_of_a_forecast_by_hand():
    found = forecasting.percentages(np.array([100.0, 0.0, 50.0]), np.array([50.0, 0.0, 50.0]))
    assert found == pytest.approx([200 * 50 / 150, 0.0, 0.0])


# Generated examples and language


def test_the_distance_of_two_gaussians_is_that_of_the_formula(rng):
    first = rng.normal(0.0, 1.0, (200_000, 2)) * [1.0, 2.0]
    second = rng.normal(0.0, 1.0, (200_000, 2)) * [3.0, 2.0] + [1.0, 0.0]
    # means: 1; deviations: (1 - 3)² + (2 - 2)²
    assert generation.frechet(first, second) == pytest.approx(1 + 4, rel=0.02)
    assert generation.frechet(first, first) == pytest.approx(0, abs=1e-6)


def test_the_kernel_distance_is_nothing_for_rows_of_one_kind(rng):
    first, second = rng.normal(0, 1, (300, 3)), rng.normal(0, 1, (300, 3))
    assert abs(generation.mmd(first, second)) < 0.01
    assert generation.mmd(first + 2, second) > 0.2


def test_the_components_hold_most_of_the_variance(rng):
    rows = rng.normal(0, 1, (500, 6)) * [10, 5, 1, 0.1, 0.1, 0.1] + 3
    space = generation.space_of(rows)
    assert len(space.components) == 2
    total = space.project(rows).var(axis=0, ddof=1).sum()
    assert total == pytest.approx(1.0)


def test_surprise_is_counted_without_padding():
    answers = np.array([[[0.1, 0.5, 0.4], [0.2, 0.4, 0.4], [0.5, 0.25, 0.25]]])
    each = language.surprises(answers, np.array([[1, 2, 0]]))
    assert each[0] == pytest.approx([-np.log(0.5), -np.log(0.4), 0])
    statistic = language.drawn(each.sum(axis=1), np.array([2.0]))
    assert statistic(np.ones((1, 1)))[0, 0] == pytest.approx(1 / np.sqrt(0.5 * 0.4))


# Anomalies


def test_anomalies_above_a_threshold_counted_by_hand():
    scores = np.array([0.1, 0.2, 0.3, 0.9, 0.8, 0.25])
    is_odd = np.array([False, False, False, True, True, True])
    found = anomalies.measured(scores, is_odd, 0.28, seed=0)
    assert found["precision"].value == pytest.approx(2 / 3)
    assert found["recall"].value == pytest.approx(2 / 3)
    assert found["pr_auc"].value == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert found["roc_auc"].value == pytest.approx(8 / 9)
    assert found["pr_auc"].baseline == 0.5


# Certificates


@pytest.mark.parametrize(
    ("score", "level"),
    [
        (0.95, "platinum"),
        (0.949, "gold"),
        (0.9, "gold"),
        (0.85, "silver"),
        (0.8, "bronze"),
        (0.79, "basic"),
    ],
)
def test_levels_begin_where_the_original_says(score, level):
    assert certificates.level_of(score) == level


def test_the_score_is_the_original_sum_and_speed_does_not_buy_quality():
    figure = {"value": 0.68, "baseline": 0.1}
    found = certificates.certify(primary="accuracy", figure=figure, latency_ms=50, memory_mb=200)
    assert found.score == pytest.approx(0.4 * 0.8 + 0.3 * 1 + 0.3 * 0.5)
    assert found.unlimited == pytest.approx(0.4 * 0.8 + 0.3 * 2 + 0.3 * 0.5)
    assert [part["is_met"] for part in found.thresholds] == [False, True, False]
    useless = certificates.certify(
        primary="accuracy", figure={"value": 0.0}, latency_ms=0.01, memory_mb=1
    )
    assert useless.level == "basic"
    assert useless.unlimited > 3_000


def test_nothing_better_than_a_guess_is_above_basic_however_fast_it_is():
    def level(metric, **figure):
        found = certificates.certify(primary=metric, figure=figure, latency_ms=1, memory_mb=1)
        assert bool(found.held_back) == (found.level == "basic")
        return found.level

    assert level("accuracy", value=1.0, low=1.0, high=1.0, baseline=1.0) == "basic"
    assert level("accuracy", value=0.6, low=0.4, high=0.8, baseline=0.5) == "basic"
    assert level("accuracy", value=0.9, baseline=0.5) == "basic"  # rows of one group alone
    assert level("accuracy", value=0.9, low=0.8, high=1.0, baseline=0.5) == "platinum"
    above = {"baseline": 1.0, "lower_is_better": True}
    assert level("mase", value=0.9, low=0.7, high=1.1, **above) == "basic"
    assert level("mase", value=0.8, low=0.7, high=0.9, **above) == "platinum"


@pytest.mark.parametrize(
    ("metric", "value", "asked"),
    [
        ("accuracy", 0.849, "0.849, and at least 0.85 is asked, 85 % of the rows right"),
        ("r2", 0.39, "0.39, and at least 0.4 is asked, four tenths of the variance explained"),
        (
            "mase",
            0.987,
            "0.987, and less than 0.9 is asked, a tenth better than repeating the last season",
        ),
        ("pr_auc", 0.89, "0.89, and at least 0.9 is asked"),
        ("mean_return", 190, "190, and at least 195 is asked"),
        ("frechet_distance", 0.6, "0.6, and less than 0.5 is asked"),
    ],
)
def test_what_misses_its_own_floor_is_not_above_basic_however_sure_that_is(metric, value, asked):
    """Speed and memory would make it platinum, and the certificate says “not met” beside it."""
    is_error = metric in ("mase", "frechet_distance")
    ends = {"low": value - 0.001, "high": value + 0.001, "lower_is_better": is_error}
    figure = {"value": value, "baseline": 1.0 if is_error else 0.1} | ends
    found = certificates.certify(primary=metric, figure=figure, latency_ms=1, memory_mb=1)
    assert found.score > 0.9
    assert (found.level, found.thresholds[0]["is_met"]) == ("basic", False)
    assert f"its quality is {asked}" in found.held_back


def test_of_few_rows_it_is_said_that_a_floor_was_reached_by_luck_perhaps():
    """16 of 18 pictures are right: 89 %, and by Wilson's interval 67 to 97."""
    figure = {"value": 16 / 18, "low": 0.672, "high": 0.969, "baseline": 0.39}
    found = certificates.certify(primary="accuracy", figure=figure, latency_ms=1, memory_mb=1)
    assert (found.level, found.thresholds[0]["is_met"]) == ("platinum", True)
    hint = threshold_hint(found.thresholds[0])
    assert "met, though chance alone may bring it to 0.672, 0.4 · 1 of the score" in hint
    sure = certificates.certify(
        primary="accuracy", figure=figure | {"low": 0.86}, latency_ms=1, memory_mb=1
    )
    assert "chance" not in threshold_hint(sure.thresholds[0])
    assert "at_worst" not in sure.thresholds[1]


def test_groups_are_drawn_whole():
    groups = np.repeat(np.arange(10), 5)
    counts = draws_of(50, seed=3, draws=20, block=1, groups=groups)
    assert (counts.reshape(20, 10, 5) == counts.reshape(20, 10, 5)[:, :, :1]).all()
    assert (counts.sum(axis=1) == 50).all()


def test_rows_that_are_alike_within_groups_make_wider_intervals():
    """Forty patients of 25 rows each: it is as if there were forty rows, not a thousand."""
    patients = np.random.default_rng(0).normal(size=40)
    values, groups = np.repeat(patients, 25), np.repeat(np.arange(40), 25)
    low, high = mean_interval(values, seed=0, groups=groups)
    assert high - low == pytest.approx(2 * 1.96 * patients.std() / np.sqrt(40), rel=0.15)
    blind = mean_interval(values, seed=0)
    assert (high - low) / (blind[1] - blind[0]) == pytest.approx(5, rel=0.15)
    asked = share_interval(values > 0, seed=0, groups=groups)
    alone = share_interval(values > 0, seed=0)
    assert asked[1] - asked[0] > 3 * (alone[1] - alone[0])


def test_groups_of_other_sizes_keep_a_mean_a_mean():
    groups, truth = np.array([0, 0, 0, 0, 0, 1, 2]), np.arange(7.0)[:, None]
    counts = draws_of(7, seed=0, draws=50, block=1, groups=groups)
    assert len(set(counts.sum(axis=1))) > 1
    assert regression.drawn(truth, truth + 1)(counts)[:, 1] == pytest.approx(np.ones(50))
    low, high = mean_interval(np.arange(1.0, 8.0), seed=0, groups=groups)
    assert 1 <= low < high <= 7


def test_one_group_alone_bounds_nothing():
    assert np.isnan(mean_interval(np.arange(5.0), seed=0, groups=np.zeros(5))).all()


# At the edge of its range


def test_rows_that_are_all_right_bound_what_is_not_a_share_of_them_by_nothing():
    """A bootstrap gives the same each time, and would be sure of it for good."""
    truth = np.arange(30) % 3
    for guesses, value in ((truth, 1.0), ((truth + 1) % 3, 0.0)):
        found = classification.shares(truth, guesses, 0, classes=3, seed=0)
        for name in ("precision", "recall", "f1", "f1_weighted"):
            stored = found[name].to_json()
            assert (stored["value"], stored["no_interval"]) == (value, NO_OTHER)
            assert not {"low", "high"} & set(stored)
        accuracy = found["accuracy"]
        assert accuracy.high - accuracy.low == pytest.approx(3.8415 / 33.8415, abs=1e-4)
    chances = np.eye(3)[truth]
    assert "no_interval" in classification.areas(truth, chances, seed=0)["roc_auc"].to_json()
    assert "no_interval" in classification.calibration(truth, chances, seed=0)[0].to_json()
    assert "no_interval" not in Figure(0.5).to_json()  # none was looked for


def test_of_groups_that_are_all_right_there_are_as_many_as_groups():
    groups = np.repeat(np.arange(5), 20)
    alike = share_interval(np.ones(100, bool), seed=0, groups=groups)
    assert alike == share_interval(np.ones(5, bool), seed=0)
    assert share_interval(np.zeros(100, bool), seed=0, groups=groups)[1] == pytest.approx(
        1 - alike[0]
    )
    assert np.isnan(share_interval(np.ones(100, bool), seed=0, groups=np.zeros(100))).all()
    assert np.isnan(share_interval(np.ones(0, bool), seed=0)).all()


def test_so_many_alike_leave_room_for_others():
    """No pole of 100 fell: of endlessly many up to 1 in 27 may, and return nothing at worst."""
    low, high = alike_interval(500.0, 100, least=0, most=500)
    assert (low, high) == (pytest.approx(500 * (1 - 3.8415 / 103.8415), abs=0.01), 500)
    low, high = alike_interval(9.0, 100, least=0, most=500)
    assert 8 < low < 9 < high < 30


@pytest.mark.parametrize("odd", [4, 40])
def test_anomalies_that_all_stand_above_the_rest_are_bounded_by_their_number(odd):
    is_odd = np.arange(200) < odd
    found = anomalies.measured(is_odd + np.linspace(0, 0.5, 200), is_odd, 0.8, seed=0)
    for name in ("pr_auc", "roc_auc", "precision", "recall"):
        assert found[name].high == pytest.approx(1)
        assert found[name].low == pytest.approx(odd / (odd + 3.8415), abs=1e-4)
    assert found["f1"].to_json()["no_interval"] == NO_OTHER
    by = np.arange(200) // 2
    grouped = anomalies.measured(is_odd + np.linspace(0, 0.5, 200), is_odd, 0.8, seed=0, groups=by)
    assert grouped["pr_auc"].low < found["pr_auc"].low


def test_what_all_of_one_group_are_told_and_none_of_the_other_is_told_to_differ():
    """The plainest difference of all, of which every draw gives the same."""
    labels = np.repeat(["f", "m"], 60)
    found = of_class(labels == "f", labels == "f", labels, 0)
    assert (found["highest"], found["difference"]) == ("f", 1)
    # Newcombe by hand: 60 of 60 and 0 of 60, each of whose ends is 3.84 / 63.84 away
    assert found["difference_low"] == pytest.approx(1 - np.sqrt(2) * 3.8415 / 63.8415, abs=1e-4)
    assert found["difference_high"] == pytest.approx(1)
    same = of_class(labels == "f", np.ones(120, bool), labels, 0)
    assert same["difference_low"] < 0 < same["difference_high"]


def test_errors_are_asked_to_be_small():
    good = certificates.certify(primary="mase", figure={"value": 0.45}, latency_ms=1, memory_mb=1)
    poor = certificates.certify(primary="mase", figure={"value": 1.8}, latency_ms=1, memory_mb=1)
    assert (good.score, poor.score) == pytest.approx((1.0, 0.4 * 0.5 + 0.6))
    distant = certificates.certify(
        primary="frechet_distance",
        figure={"value": 0.5, "baseline": 0.5},
        latency_ms=1,
        memory_mb=1,
    )
    assert distant.score == pytest.approx(0.4 * 0.5 + 0.6)
