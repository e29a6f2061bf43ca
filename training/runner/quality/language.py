"""The next token: how surprised a model is by texts it never read.

Perplexity is e to the mean of -ln p over the tokens of the test rows. Beside it those of counting:
the share of each token in the training rows (unigram), and of each token after another (bigram,
mixed with the unigram half and half, so that nothing is impossible; both with one added to each
count, Laplace). Intervals draw whole rows, since the tokens of one are alike.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner.figures import Counts, Figure, Numbers, Quality, bootstrap
from training.runner.rows import Rows
from training.runner.subjects import Subject

SMALLEST = 1e-12  # a probability that float32 rounded to nothing
PADDING = 0
BIGRAM_SHARE = 0.5
BIGRAMS_VOCABULARY_MAX = 4_096  # beyond, the table of pairs would not fit


def score(subject: Subject, answers: NDArray[Any], rows: Rows, features: NDArray[Any]) -> float:
    """The perplexity."""
    surprise, told = surprises(answers, rows.targets)
    return float(np.exp(surprise.sum() / told.sum()))


def measure(subject: Subject) -> Quality:
    test = subject.test
    answers = subject.test_answers.reshape(*test.targets.shape, -1)
    surprise, told = surprises(answers, test.targets)
    bases = baselines(subject)
    best = min(bases, key=lambda name: bases[name])
    low, high = bootstrap(len(test), drawn(surprise, told), seed=subject.seed)[:, 0]
    is_told = test.targets != PADDING
    is_right = (answers.argmax(axis=-1) == test.targets) & is_told
    ends = bootstrap(len(test), share(is_right.sum(axis=1), told), seed=subject.seed)[:, 0]
    common = int(np.bincount(spoken(subject.train.targets)).argmax())
    figures = {
        "perplexity": Figure(
            float(np.exp(surprise.sum() / told.sum())),
            float(low),
            float(high),
            bases[best],
            f"counts of tokens ({best})",
            lower_is_better=True,
        ),
        "accuracy": Figure(
            float(is_right.sum() / told.sum()),
            float(ends[0]),
            float(ends[1]),
            float((test.targets == common).sum() / told.sum()),
            "always the commonest token",
        ),
    }
    by_place = surprise_by_place(answers, test.targets)
    report = {
        "perplexities": {"model": figures["perplexity"].value, **bases},
        "by_place": by_place,
    }
    return Quality("perplexity", figures, report, int(told.sum()))


def spoken(tokens: NDArray[Any]) -> NDArray[np.int64]:
    """Those that are no padding, in a row."""
    flat = tokens.reshape(-1).astype(np.int64)
    return np.asarray(flat[flat != PADDING], np.int64)


def surprises(
    answers: NDArray[Any], targets: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each row the sum of -ln p over its tokens, and how many they are."""
    each = -np.log(np.maximum(chances_of(answers, targets), SMALLEST))
    is_told = targets != PADDING
    return (each * is_told).sum(axis=1), is_told.sum(axis=1).astype(np.float64)


def chances_of(answers: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """What was given to the token that came, (rows, steps)."""
    answers = answers.reshape(*targets.shape, -1)
    places = targets[..., None].astype(np.int64)
    return np.asarray(np.take_along_axis(answers, places, axis=-1)[..., 0], np.float64)


def surprise_by_place(answers: NDArray[Any], targets: NDArray[Any]) -> list[list[float]]:
    """The mean surprise at each step: what has been read so far should help."""
    each = -np.log(np.maximum(chances_of(answers, targets), SMALLEST))
    is_told = targets != PADDING
    told = is_told.sum(axis=0)
    sums = (each * is_told).sum(axis=0)
    return [[step, float(sums[step] / told[step])] for step in range(len(told)) if told[step]]


def drawn(surprise: NDArray[np.float64], told: NDArray[np.float64]) -> Any:
    def statistic(counts: Counts) -> Numbers:
        return np.exp(counts @ surprise / (counts @ told))[:, None]

    return statistic


def share(right: NDArray[Any], told: NDArray[np.float64]) -> Any:
    def statistic(counts: Counts) -> Numbers:
        return np.asarray(counts @ right.astype(np.float64) / (counts @ told))[:, None]

    return statistic


def baselines(subject: Subject) -> dict[str, float]:
    """Perplexities of counting, on the same tokens."""
    vocabulary = subject.shape.vocabulary
    train, test = subject.train, subject.test
    unigram = np.bincount(spoken(train.targets), minlength=vocabulary) + 1.0
    unigram /= unigram.sum()
    told = spoken(test.targets)
    found = {"unigram": float(np.exp(-np.log(unigram[told]).mean()))}
    if vocabulary <= BIGRAMS_VOCABULARY_MAX:
        pairs = np.ones((vocabulary, vocabulary))
        is_known = train.targets != PADDING
        np.add.at(pairs, (train.features[is_known], train.targets[is_known]), 1.0)
        pairs /= pairs.sum(axis=1, keepdims=True)
        is_told = test.targets != PADDING
        second = pairs[test.features[is_told], test.targets[is_told]]
        mixed = BIGRAM_SHARE * second + (1 - BIGRAM_SHARE) * unigram[told]
        found["bigram"] = float(np.exp(-np.log(mixed).mean()))
    return found
