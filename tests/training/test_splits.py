"""Which rows train, validate and test."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.runner.recipes import Split, SplitKind, SplitRefused
from training.runner.rows import Part
from training.runner.series import windows, windows_of_parts
from training.runner.splits import choose_parts, inferred_parts


def counts(parts: np.ndarray) -> list[int]:
    return [int((parts == part).sum()) for part in Part]


def test_a_seed_is_a_split_for_good_and_another_is_another():
    first = choose_parts(Split(), 100)
    assert counts(first) == [70, 15, 15]
    assert (choose_parts(Split(), 100) == first).all()
    assert (choose_parts(Split(seed=1), 100) != first).any()
    # drawn once on another machine: scikit-learn promises that they stay
    assert np.flatnonzero(first == Part.TEST)[:5].tolist() == [2, 7, 13, 16, 26]


def test_stratified_parts_have_every_class_alike():
    classes = np.repeat([0, 1, 2], [100, 60, 40])
    parts = choose_parts(Split(SplitKind.STRATIFIED), 200, classes=classes)
    for part in Part:
        found = np.bincount(classes[parts == part]) / (parts == part).sum()
        assert np.abs(found - [0.5, 0.3, 0.2]).max() < 0.02


def test_by_time_the_last_rows_test_in_the_order_of_their_time():
    order = [5.0, 1.0, 4.0, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0, 0.0]
    parts = choose_parts(Split(SplitKind.TIME, 0.6, 0.2, 0.2), 10, order=order)
    times = np.array(order)
    assert times[parts == Part.TRAIN].max() < times[parts == Part.VALIDATION].min()
    assert times[parts == Part.VALIDATION].max() < times[parts == Part.TEST].min()
    assert counts(choose_parts(Split(SplitKind.TIME, 0.8, 0, 0.2), 10)) == [8, 0, 2]


def test_a_patient_is_in_one_part_only():
    groups = [f"patient {number // 5}" for number in range(100)]
    parts = choose_parts(Split(SplitKind.GROUP, column="patient"), 100, groups=groups)
    of_group: dict[str, set[int]] = {}
    for group, part in zip(groups, parts, strict=True):
        of_group.setdefault(group, set()).add(int(part))
    assert {len(found) for found in of_group.values()} == {1}
    assert all(counts(parts))


@pytest.mark.parametrize(
    ("split", "more", "message"),
    [
        (Split(), {"rows": 2}, "2 rows cannot be split so"),
        (Split(SplitKind.TIME), {"rows": 2}, "split.test: 0.15 of 2 rows is none"),
        (Split(SplitKind.STRATIFIED), {}, "needs classes, and the target is no category"),
        (Split(SplitKind.GROUP), {}, "a split by group needs a column"),
        (Split(SplitKind.GROUP), {"groups": ["a", "b"] * 5}, "2 groups cannot be split so"),
        (
            Split(SplitKind.TIME),
            {"classes": np.repeat([0, 1], [9, 1])},
            "class 1 has rows and none of them trains",
        ),
    ],
)
def test_a_split_that_leaves_something_out_is_refused(split, more, message):
    with pytest.raises(SplitRefused, match=message):
        choose_parts(split, **{"rows": 10} | more)


def test_where_nobody_said_how_a_rare_class_is_no_reason_to_refuse():
    classes = np.repeat([0, 1, 2], [50, 49, 1])
    split, parts = inferred_parts(Split(SplitKind.STRATIFIED), 100, classes)
    assert split.kind is SplitKind.RANDOM
    assert all(counts(parts))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (None, "split: must be an object"),
        ({"kind": "radnom"}, "split.kind: 'radnom' is not known; did you mean 'random'"),
        ({"kind": "random", "train": 0.9}, "the shares make 1.2; they must make 1"),
        ({"kind": "random", "test": 0}, "split.test: must be from 0.01 to 0.9"),
        ({"kind": "random", "seed": -1}, "split.seed: must be from 0"),
        ({"kind": "time", "column": 3}, "split.column: must be the name of a column"),
        ({"kind": "time", "sead": 3}, "split.sead: is not known here; did you mean 'seed'"),
    ],
)
def test_a_split_that_cannot_be_is_refused_by_its_path(raw, message):
    with pytest.raises(SplitRefused, match=message):
        Split.from_json(raw)


def test_a_split_survives_json():
    split = Split(SplitKind.GROUP, 0.6, 0.3, 0.1, 7, "shop")
    assert Split.from_json(split.to_json()) == split


def test_only_time_and_groups_go_by_a_column():
    raw = Split(SplitKind.STRATIFIED, column="species").to_json()
    assert Split.from_json(raw).column == ""


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(1, 8), st.integers(1, 3))
def test_a_window_holds_what_went_before_and_the_target_what_came_next(
    steps, window, horizon, channels
):
    values = np.arange(steps * channels, dtype=np.float32).reshape(steps, channels)
    targets = values[:, -1:]
    given_, following = windows(values, targets, window, horizon)
    assert given_.shape == (max(steps - window - horizon + 1, 0), window, channels)
    for number in range(len(given_)):
        assert (given_[number] == values[number : number + window]).all()
        after = targets[number + window : number + window + horizon, 0]
        assert (following[number] == after).all()


def test_no_window_has_steps_of_two_parts():
    values = np.arange(30, dtype=np.float32)[:, None]
    parts = choose_parts(Split(SplitKind.TIME, 0.5, 0.25, 0.25), 30)
    given_, following, of_part = windows_of_parts(values, values, parts, 3, 2)
    assert counts(of_part) == [11, 3, 4]
    for row, after, part in zip(given_, following, of_part, strict=True):
        steps = [*row[:, 0].astype(int), *after.astype(int)]
        assert set(parts[steps]) == {part}
