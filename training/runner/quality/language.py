"""The next token: how surprised a model is by texts it never read.

Perplexity is e to the mean of -ln p over the tokens of the test rows. Beside it those of counting:
the share of each token in the training rows (unigram), and of each token after another (bigram,
mixed with the unigram half and half, so that nothing is impossible; both with one added to each
count, Laplace). Intervals draw whole rows, since the tokens of one are alike.

A row has a number for each token of the vocabulary at each step, so the answers to all rows at once
would fill any memory. Rows come in parts, of which only sums are kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.runner.figures import Counts, Figure, Numbers, Quality, bootstrap, bootstrapped
from training.runner.rows import Rows
from training.runner.subjects import Subject, answers_in_parts

SMALLEST = 1e-12  # a probability that float32 rounded to nothing
PADDING = 0
BIGRAM_SHARE = 0.5
BIGRAMS_VOCABULARY_MAX = 4_096  # beyond, the table of pairs would not fit
TOKENS_AT_ONCE = 2**20  # that are counted


@dataclass(frozen=True, eq=False)
class Read:
    """What a model made of rows: of each row [rows] the sum of -ln p over its tokens, how many they
    are, and how many of them it named; of each step [steps] the same sum and number.
    """

    surprise: NDArray[np.float64]
    told: NDArray[np.float64]
    right: NDArray[np.float64]
    step_surprise: NDArray[np.float64]
    step_told: NDArray[np.float64]

    @property
    def perplexity(self) -> float:
        return float(np.exp(self.surprise.sum() / self.told.sum()))

    @property
    def by_place(self) -> list[list[float]]:
        """The mean surprise at each step: what has been read so far should help."""
        pairs = zip(self.step_surprise.tolist(), self.step_told.tolist(), strict=True)
        return [[step, sum_ / told] for step, (sum_, told) in enumerate(pairs) if told]


def read(subject: Subject, features: NDArray[Any], targets: NDArray[Any]) -> Read:
    """Of rows of tokens (rows, steps), and the tokens that follow them."""
    rows, steps = targets.shape
    found = Read(*(np.zeros(size) for size in (rows, rows, rows, steps, steps)))
    for some, answers in answers_in_parts(subject.predictor, features, beat=subject.beat):
        came = targets[some]
        chances = answers.reshape(*came.shape, -1)
        each, is_told = surprises(chances, came), came != PADDING
        found.surprise[some], found.told[some] = each.sum(axis=1), is_told.sum(axis=1)
        found.right[some] = ((chances.argmax(axis=-1) == came) & is_told).sum(axis=1)
        found.step_surprise[:] += each.sum(axis=0)
        found.step_told[:] += is_told.sum(axis=0)
    return found


def score(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """The perplexity."""
    return read(subject, features, rows.targets).perplexity


def measure(subject: Subject) -> Quality:
    test = subject.test
    found = read(subject, test.features, test.targets)
    surprise, told = found.surprise, found.told
    bases = baselines(subject)
    best = min(bases, key=lambda name: bases[name])
    units = subject.units(len(test))
    again = partial(bootstrap, len(test), seed=subject.seed, groups=units, beat=subject.beat)
    low, high = again(drawn(surprise, told))[:, 0]
    ends = again(share(found.right, told))[:, 0]
    common = int(counts_of(subject.train.targets, subject.shape.vocabulary).argmax())
    figures = {
        "perplexity": Figure(
            found.perplexity,
            float(low),
            float(high),
            bases[best],
            f"counts of tokens ({best})",
            lower_is_better=True,
        ),
        "accuracy": Figure(
            float(found.right.sum() / told.sum()),
            float(ends[0]),
            float(ends[1]),
            float((test.targets == common).sum() / told.sum()),
            "always the commonest token",
        ),
    }
    report = {
        "perplexities": {"model": found.perplexity, **bases},
        "by_place": found.by_place,
    }
    return Quality("perplexity", figures, report, int(told.sum()), bootstrapped(len(test)))


def surprises(chances: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.float64]:
    """-ln of what was given to the token that came, 0 for padding: (rows, steps)."""
    places = targets[..., None].astype(np.int64)
    given = np.take_along_axis(chances, places, axis=-1)[..., 0].astype(np.float64)
    return np.asarray(-np.log(np.maximum(given, SMALLEST)) * (targets != PADDING), np.float64)


def drawn(surprise: NDArray[np.float64], told: NDArray[np.float64]) -> Any:
    def statistic(counts: Counts) -> Numbers:
        return np.exp(counts @ surprise / (counts @ told))[:, None]

    return statistic


def share(right: NDArray[Any], told: NDArray[np.float64]) -> Any:
    def statistic(counts: Counts) -> Numbers:
        return np.asarray(counts @ right.astype(np.float64) / (counts @ told))[:, None]

    return statistic


def pieces(rows: Rows) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Tokens and those that follow them, without padding, some rows at a time."""
    size = max(1, TOKENS_AT_ONCE // max(1, rows.targets.shape[1]))
    for begin in range(0, len(rows), size):
        some = slice(begin, begin + size)
        is_told = rows.targets[some] != PADDING
        before, after = rows.features[some][is_told], rows.targets[some][is_told]
        yield before.astype(np.int64), after.astype(np.int64)


def counts_of(tokens: NDArray[Any], vocabulary: int) -> NDArray[np.int64]:
    """How often each comes, but for padding."""
    found = np.zeros(vocabulary, np.int64)
    size = max(1, TOKENS_AT_ONCE // max(1, tokens.shape[1]))
    for begin in range(0, len(tokens), size):
        flat = tokens[begin : begin + size].reshape(-1).astype(np.int64)
        found += np.bincount(flat, minlength=vocabulary)
    found[PADDING] = 0
    return found


def baselines(subject: Subject) -> dict[str, float]:
    """Perplexities of counting, on the same tokens."""
    vocabulary = subject.shape.vocabulary
    unigram = counts_of(subject.train.targets, vocabulary) + 1.0
    unigram /= unigram.sum()
    pairs = pair_shares(subject) if vocabulary <= BIGRAMS_VOCABULARY_MAX else None
    surprise, told = {"unigram": 0.0} | ({} if pairs is None else {"bigram": 0.0}), 0
    for before, after in pieces(subject.test):
        told += len(after)
        surprise["unigram"] -= np.log(unigram[after]).sum()
        if pairs is not None:
            mixed = BIGRAM_SHARE * pairs[before, after] + (1 - BIGRAM_SHARE) * unigram[after]
            surprise["bigram"] -= np.log(mixed).sum()
        subject.beat(told)
    return {name: float(np.exp(total / told)) for name, total in surprise.items()}


def pair_shares(subject: Subject) -> NDArray[np.float64]:
    """The share of each token after each, (vocabulary, vocabulary)."""
    pairs = np.ones((subject.shape.vocabulary, subject.shape.vocabulary))
    for before, after in pieces(subject.train):
        np.add.at(pairs, (before, after), 1.0)
        subject.beat(len(after))
    pairs /= pairs.sum(axis=1, keepdims=True)
    return pairs
