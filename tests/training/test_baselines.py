"""Simple methods beside networks."""

import numpy as np

from kernels.data import DataShape, Target
from training.runner.baselines import baselines, counts
from training.runner.bundles import BUNDLES
from training.runner.rows import Rows


def test_a_bag_of_words_counts_tokens_and_no_padding():
    tokens = np.array([[0, 2, 3, 2], [0, 0, 0, 1]], np.uint32)
    assert counts(tokens, 4).toarray().tolist() == [[0, 0, 2, 1], [0, 1, 0, 0]]


def test_the_languages_have_a_logistic_regression_beside_them():
    bundle = BUNDLES["languages"]()
    found = baselines(bundle.shape, Rows(bundle.features, bundle.targets, bundle.parts))
    assert [simple["metric"] for simple in found] == ["accuracy"]
    assert 0.85 < found[0]["value"] < 0.95


def test_rows_that_are_no_texts_with_a_class_have_none():
    features = np.zeros((9, 4), np.uint32)
    parts = np.repeat([0, 1, 2], 3).astype(np.int8)
    rows = Rows(features, np.zeros(9, np.uint32), parts)
    assert baselines(DataShape.table(4, 2), rows) == []
    assert baselines(DataShape((4,), Target.NEXT, 5, 5), rows) == []
    assert baselines(DataShape((4,), Target.CLASSES, 2, 5), rows) == []  # all of one class
