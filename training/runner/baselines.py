"""What a simple method reaches on the same rows, to be shown beside what a network does.

For texts with a class: a logistic regression of scikit-learn on a bag of words, which counts the
tokens of a text and knows nothing of their order. It is given the same tokens as a network,
trained on the training part and measured on the test part.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression

from kernels.data import DataShape, Target
from training.runner.rows import Part, Rows
from training.runner.tokenizers import PADDING_TOKEN

STEPS_MAX = 1_000  # of the solver; it ends earlier where nothing gets better
ROWS_MAX = 20_000  # of training; more would keep a worker for minutes


def baselines(shape: DataShape, rows: Rows) -> list[dict[str, Any]]:
    """Each with its name, the figure and its value; none where there is no simple method."""
    is_text = shape.vocabulary and shape.target is Target.CLASSES
    train, test = rows.only(Part.TRAIN), rows.only(Part.TEST)
    if not is_text or not len(test) or len(train) > ROWS_MAX:
        return []
    if len(np.unique(train.targets)) < 2:
        return []
    found = LogisticRegression(max_iter=STEPS_MAX)
    found.fit(counts(train.features, shape.vocabulary), train.targets)
    right = found.score(counts(test.features, shape.vocabulary), test.targets)
    name = "logistic regression on a bag of words"
    return [{"name": name, "metric": "accuracy", "value": float(right)}]


def counts(tokens: NDArray[np.uint32], vocabulary: int) -> csr_matrix:
    """How often each token stands in each text, [texts, vocabulary]; padding counts not."""
    rows, places = np.nonzero(tokens != PADDING_TOKEN)
    ones = np.ones(len(rows), np.float32)
    return csr_matrix((ones, (rows, tokens[rows, places])), shape=(len(tokens), vocabulary))
