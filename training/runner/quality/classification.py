"""Classes: how often an answer is right, of which kind the mistakes are, and whether a probability
means what it says.

Accuracy has Wilson's interval where each answer is for itself or all are alike, all else a
bootstrap. The baseline always answers with the commonest class of the training rows; texts also
have a logistic regression over counts of their tokens. The calibration error is the mean distance
of confidence and accuracy over ten bins of equal width (Guo et al., 2017).
"""

import warnings
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    precision_recall_fscore_support,
    roc_auc_score,
)

from kernels.data import Target
from training.runner.figures import (
    Beat,
    Counts,
    Figure,
    Numbers,
    Quality,
    bootstrap,
    bootstrapped,
    unheard,
)
from training.runner.quality import ranks
from training.runner.quality.shares import share_interval, share_method
from training.runner.rows import Rows
from training.runner.subjects import Subject
from training.runner.tokenizers import PADDING_TOKEN, UNKNOWN_TOKEN

BINS = 10
CLASSES_DRAWN_MAX = 20  # for more, areas under curves have no interval
WORDS_ROWS_MAX = 5_000
WORDS_WEIGHTS_MAX = 1_000_000  # tokens times classes
WORDS_STEPS, WORDS_ROUNDS_MAX = 10, 40  # ten steps take seconds
MAJORITY = "always the commonest class"
AVERAGES = ("precision", "recall", "f1")
OF_WILSON = ("accuracy", "accuracy_over_majority")  # the one is the other but for a constant


def flat(answers: NDArray[Any], targets: NDArray[Any], target: Target) -> tuple[Any, Any]:
    """Probabilities (n, classes) and true classes (n,), also where each step has a class or each
    mark is a question of yes or no.
    """
    if target is Target.MARKS:
        yes = answers.reshape(-1)
        return np.stack([1 - yes, yes], axis=1), (targets.reshape(-1) >= 0.5).astype(np.int64)
    return answers.reshape(-1, answers.shape[-1]), targets.reshape(-1).astype(np.int64)


def score(subject: Subject, features: NDArray[Any], rows: Rows) -> float:
    """The accuracy."""
    answers = subject.answers(features)
    found, truth = flat(answers, rows.targets, subject.shape.target)
    return float((found.argmax(axis=1) == truth).mean())


def measure(subject: Subject) -> Quality:
    target = subject.shape.target
    chances, truth = flat(subject.test_answers, subject.test.targets, target)
    known = truth_of_training(subject)
    names = list(subject.classes) if target is not Target.MARKS else ["no", "yes"]
    names = names or [str(number) for number in range(chances.shape[1])]
    majority = int(np.bincount(known, minlength=len(names)).argmax())
    guesses = chances.argmax(axis=1)
    drawn: dict[str, Any] = {
        "seed": subject.seed,
        "beat": subject.beat,
        "groups": subject.units(len(truth)),
    }
    figures = shares(truth, guesses, majority, classes=len(names), **drawn)
    figures |= areas(truth, chances, **drawn)
    gap, bins = calibration(truth, chances, **drawn)
    figures["calibration_error"] = gap
    report = pictures(truth, guesses, names) | {"reliability": bins}
    if subject.is_of_tokens and target is Target.CLASSES:
        report["words_baseline"] = words_accuracy(subject)
        figures["accuracy_over_majority"] = above(figures["accuracy"])
    accuracy = figures["accuracy"]
    report["accuracy_interval"] = [accuracy.low, accuracy.high]
    report["baseline_accuracy"] = accuracy.baseline
    is_grouped = drawn["groups"] is not None
    method = bootstrapped(len(truth), "rows with all their answers" if is_grouped else "rows")
    by = share_method(guesses == truth, drawn["groups"])
    others = {name: by for name in OF_WILSON if by and name in figures}
    return Quality("accuracy", figures, report, len(truth), method, others)


def above(accuracy: Figure) -> Figure:
    """How many rows more are right than the baseline has, as a share."""
    base = accuracy.baseline or 0.0
    low, high = accuracy.low or 0.0, accuracy.high or 0.0
    return Figure(accuracy.value - base, low - base, high - base, 0.0, MAJORITY)


def truth_of_training(subject: Subject) -> NDArray[np.int64]:
    targets = subject.train.targets.reshape(-1)
    is_marked = subject.shape.target is Target.MARKS
    return (targets >= 0.5 if is_marked else targets).astype(np.int64)


def shares(
    truth: NDArray[np.int64],
    guesses: NDArray[np.int64],
    majority: int,
    *,
    classes: int,
    seed: int,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Figure]:
    """Accuracy, and precision, recall and F1 as means over classes, plain and by their rows."""
    drawn: dict[str, Any] = {"seed": seed, "groups": groups, "beat": beat}
    same = np.full_like(truth, majority)
    found = {
        "accuracy": Figure(
            float(accuracy_score(truth, guesses)),
            *share_interval(guesses == truth, **drawn),
            float(accuracy_score(truth, same)),
            MAJORITY,
        )
    }
    ends = bootstrap(len(truth), drawn_averages(truth, guesses, classes), **drawn)
    for place, average in enumerate(("macro", "weighted")):
        ours, theirs = (averages(truth, guess, classes, average) for guess in (guesses, same))
        for number, name in enumerate(AVERAGES):
            low, high = ends[:, 3 * place + number]
            key = name if average == "macro" else f"{name}_weighted"
            found[key] = Figure(ours[number], low, high, theirs[number], MAJORITY)
    return found


def averages(
    truth: NDArray[np.int64], guesses: NDArray[np.int64], classes: int, average: str
) -> list[float]:
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, guesses, labels=list(range(classes)), average=average, zero_division=0
    )
    return [float(precision), float(recall), float(f1)]


def drawn_averages(truth: NDArray[np.int64], guesses: NDArray[np.int64], classes: int) -> Any:
    """The same for many draws: (draws, 6)."""
    is_true, is_guessed = (marked(labels, classes) for labels in (truth, guesses))
    is_both = marked(truth, classes, is_there=truth == guesses)

    def statistic(counts: Counts) -> Numbers:
        there, said, both = counts @ is_true, counts @ is_guessed, counts @ is_both
        with np.errstate(invalid="ignore", divide="ignore"):
            parts = [both / said, both / there, 2 * both / (said + there)]
        parts = [np.where(np.isfinite(part), part, 0.0) for part in parts]
        plain = [part.mean(axis=1) for part in parts]
        by_rows = [(part * there).sum(axis=1) / there.sum(axis=1) for part in parts]
        return np.stack([*plain, *by_rows], axis=1)

    return statistic


def marked(
    labels: NDArray[np.int64], classes: int, *, is_there: NDArray[np.bool_] | None = None
) -> Any:
    """1 at the class of each row, where it is there: (rows, classes), sparse, since a column for
    each of many classes would not fit. Sums of whole numbers are exact in any order.
    """
    kept = np.arange(len(labels)) if is_there is None else np.flatnonzero(is_there)
    return csr_array((np.ones(len(kept)), (kept, labels[kept])), shape=(len(labels), classes))


def areas(
    truth: NDArray[np.int64],
    chances: NDArray[Any],
    *,
    seed: int,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> dict[str, Figure]:
    """The area under the ROC curve, each class against the rest, as a mean over those that occur
    among the rows; none where only one does.
    """
    there = np.unique(truth)
    if len(there) < 2:
        return {}
    if chances.shape[1] == 2:
        there = np.array([1])
    each = []
    for one in there:
        each.append(roc_auc_score(truth == one, chances[:, one]))
        beat(len(each))
    value = float(np.mean(each))
    if len(there) > CLASSES_DRAWN_MAX:
        return {"roc_auc": Figure(value, baseline=0.5, baseline_name="by chance")}

    def statistic(counts: Counts) -> Numbers:
        found = [ranks.roc_auc(counts, chances[:, one], truth == one) for one in there]
        seen = np.isfinite(found)  # a draw may miss a class
        total = np.where(seen, found, 0.0).sum(axis=0)
        with np.errstate(invalid="ignore"):
            return np.asarray(total / seen.sum(axis=0))[:, None]

    low, high = bootstrap(len(truth), statistic, seed=seed, groups=groups, beat=beat)[:, 0]
    return {"roc_auc": Figure(value, float(low), float(high), 0.5, "by chance")}


def calibration(
    truth: NDArray[np.int64],
    chances: NDArray[Any],
    *,
    seed: int,
    groups: NDArray[Any] | None = None,
    beat: Beat = unheard,
) -> tuple[Figure, list[dict[str, float]]]:
    """The calibration error, and of each bin its rows, mean confidence and accuracy."""
    confidence = chances.max(axis=1).astype(np.float64)
    is_right = (chances.argmax(axis=1) == truth).astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    distances = np.eye(BINS)[bins] * (is_right - confidence)[:, None]
    rows = len(truth)
    value = float(np.abs(distances.sum(axis=0)).sum() / rows)

    def statistic(counts: Counts) -> Numbers:
        drawn = counts.sum(axis=1, keepdims=True)
        return np.asarray(np.abs(counts @ distances).sum(axis=1, keepdims=True) / drawn)

    low, high = bootstrap(rows, statistic, seed=seed, groups=groups, beat=beat)[:, 0]
    table = [
        {
            "low": number / BINS,
            "high": (number + 1) / BINS,
            "rows": int((bins == number).sum()),
            "confidence": float(confidence[bins == number].mean()),
            "accuracy": float(is_right[bins == number].mean()),
        }
        for number in range(BINS)
        if (bins == number).any()
    ]
    return Figure(value, float(low), float(high), lower_is_better=True), table


def pictures(
    truth: NDArray[np.int64], guesses: NDArray[np.int64], names: list[str]
) -> dict[str, Any]:
    labels = list(range(len(names)))
    by_class = precision_recall_fscore_support(
        truth, guesses, labels=labels, average=None, zero_division=0
    )
    return {
        "confusion": confusion_matrix(truth, guesses, labels=labels).tolist(),
        "classes": names,
        "per_class": [
            {"name": name, "precision": p, "recall": r, "f1": f, "rows": int(n)}
            for name, p, r, f, n in zip(names, *(x.tolist() for x in by_class), strict=True)
        ],
    }


def words_accuracy(subject: Subject) -> dict[str, Any]:
    """What a logistic regression over counts of tokens gets right of the same test rows."""
    train = subject.train
    if len(train) > WORDS_ROWS_MAX:
        chosen = np.random.default_rng(subject.seed).permutation(len(train))[:WORDS_ROWS_MAX]
        train = train.take(np.sort(chosen))
    tokens = min(subject.shape.vocabulary, WORDS_WEIGHTS_MAX // subject.shape.size)
    counted, test = partial(counts_of, tokens=tokens), subject.test
    model = fitted(counted(train.features), train.targets.reshape(-1), beat=subject.beat)
    right = 0
    for begin in range(0, len(test), WORDS_ROWS_MAX):
        some = slice(begin, begin + WORDS_ROWS_MAX)
        right += int((model.predict(counted(test.features[some])) == test.targets[some]).sum())
        subject.beat(begin)
    return {
        "name": "logistic regression over counts of tokens",
        "accuracy": right / len(test),
        "rows": len(train),
    }


def fitted(features: Any, targets: NDArray[Any], *, beat: Beat) -> LogisticRegression:
    """Begun anew from where it stands after some steps, since a long fit holds its lease only
    between them; to the end, or to WORDS_ROUNDS_MAX.
    """
    model = LogisticRegression(max_iter=WORDS_STEPS, warm_start=True)
    for number in range(WORDS_ROUNDS_MAX):
        beat(number)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # that is why it goes on
            model.fit(features, targets)
        if model.n_iter_.max() < WORDS_STEPS:
            break
    return model


def counts_of(rows: NDArray[Any], *, tokens: int) -> Any:
    """How often each row has each of the commonest tokens, which have the lowest numbers, without
    padding; all others count as one, the unknown: sparse (rows, tokens).
    """
    numbers = np.repeat(np.arange(len(rows)), rows.shape[1])
    places = rows.reshape(-1).astype(np.int64)
    places[places >= tokens] = UNKNOWN_TOKEN
    is_said = places > PADDING_TOKEN
    ones = np.ones(int(is_said.sum()))
    return csr_array((ones, (numbers[is_said], places[is_said])), shape=(len(rows), tokens))
