"""Generated examples: how far their distribution is from that of test rows that no training read.

The Fréchet distance of two Gaussians (Dowson and Landau, 1982) in the space of the principal
components of the training rows that hold 95 % of their variance, at most 32, each in units of one
deviation of all of them together:

    |m₁ - m₂|² + tr(C₁ + C₂ - 2 (C₁ C₂)^½)

It sees means and covariances only, so a kernel distance stands beside it (MMD², Gretton et al.,
2012; unbiased, Gaussian kernel as wide as the median distance of test rows). The baseline draws
every number of an example from the training rows for itself; `training rows` as they are show what
no generator needs to surpass.

A kernel distance takes the distance of every row to every other, and the components take all
numbers several times over as float64: of very many rows some are drawn for each, always the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from kernels import config, generator, modelfile, trainer
from kernels.data import DataShape, Target, TrainingData
from kernels.predictor import Predictor
from training.runner import walls
from training.runner.figures import (
    PERCENTILES,
    Beat,
    Figure,
    Method,
    Quality,
    TooFewRows,
    bootstrapped,
    mean_interval,
)
from training.runner.rows import Rows
from training.runner.subjects import Subject, answers_in_parts, answers_of

SAMPLES = 1_000
VARIANCE_KEPT = 0.95
COMPONENTS_MAX = 32
COMPONENTS_ROWS_MAX = 10_000  # that components are found in
KERNEL_ROWS_MAX = 2 * SAMPLES  # that a kernel distance is measured on
ROWS_AT_ONCE = 8_192
WIDE = 512  # numbers of a row
HALVES = Method(
    "percentiles without replacement, centred on the value", "halves of samples and rows", 200
)
FEWER_HALVES = replace(HALVES, draws=50)  # each costs the distance of every row to every other
ROWS_LEAST = 4  # a half of them has a covariance
GRID = 25
JUDGE_ROWS_MAX = 5_000
JUDGE = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 64}]},
    "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"},
}
CONFIDENCE_LEAST = 0.6
NAMED_SHARE = 0.02
BASELINE = "every number drawn for itself"


def measure(subject: Subject) -> Quality:
    """Raises TooFewRows."""
    if len(subject.test) < ROWS_LEAST:
        raise TooFewRows("frechet_distance", len(subject.test), needed=str(ROWS_LEAST))
    made = samples(subject, SAMPLES)
    known, test = (rows.features.reshape(len(rows), -1) for rows in (subject.train, subject.test))
    rng = np.random.default_rng(subject.seed)
    shuffled = np.stack(
        [column[rng.integers(0, len(column), SAMPLES)] for column in known.T], axis=1
    )
    subject.beat(0)
    space = space_of(drawn(known, COMPONENTS_ROWS_MAX, seed=subject.seed))
    subject.beat(0)
    found, real, simple, seen = map(space.project, (made, test, shuffled, known))
    some = drawn(real, KERNEL_ROWS_MAX, seed=subject.seed)
    subject.beat(0)
    figures = {
        "frechet_distance": figure(frechet, found, real, simple, subject, HALVES),
        "kernel_distance": figure(mmd, found, some, simple, subject, FEWER_HALVES),
    }
    named = judge(subject, made)
    figures |= named.figures
    report = {
        "samples": [row.tolist() for row in made[:GRID].astype(float).round(3)],
        "feature_names": list(subject.features),
        "components": len(space.components),
        "judge": named.report,
        "training_distance": {
            "frechet_distance": frechet(seen, real),
            "kernel_distance": mmd(seen[:KERNEL_ROWS_MAX], some),
        },
        "kernel_rows": len(some),
    }
    others = {"kernel_distance": FEWER_HALVES, **named.methods}
    return Quality("frechet_distance", figures, report, len(test), HALVES, others)


def drawn(rows: NDArray[Any], count: int, *, seed: int) -> NDArray[Any]:
    """At most so many of them, always the same, in their order."""
    if len(rows) <= count:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), count, replace=False))]


def samples(subject: Subject, count: int) -> NDArray[np.float32]:
    """So many examples (count, numbers) from noise, the same for the same model."""
    module = subject.module
    maker = generator.generator(subject.predictor.model)
    predictor = Predictor(modelfile.dump(maker), module=module, limits=walls.PREDICTION)
    size = generator.latent_size(maker)
    noise = generator.draw_latent(count, size, seed=subject.seed, module=module)
    return answers_of(predictor, noise, beat=subject.beat).reshape(count, -1)


@dataclass(frozen=True, eq=False)
class Space:
    """Where rows are compared: components (kept, numbers) of what is left of the mean, in units."""

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    unit: float

    def project(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        found = np.empty((len(rows), len(self.components)))
        for begin in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[begin : begin + ROWS_AT_ONCE].astype(np.float64)
            found[begin : begin + len(part)] = (part - self.mean) @ self.components.T
        return found / self.unit


def space_of(rows: NDArray[Any]) -> Space:
    """The components that hold most of the variance; signs and order are those of the data. Of wide
    rows only the first are sought (Halko et al., 2011): all of them could take minutes.
    """
    is_wide = rows.shape[1] > WIDE
    search = (
        PCA(min(COMPONENTS_MAX, *rows.shape), svd_solver="randomized", random_state=0)
        if is_wide
        else PCA(svd_solver="full")
    )
    found = search.fit(rows.astype(np.float64))
    shares = np.cumsum(found.explained_variance_ratio_)
    kept = min(int((shares < VARIANCE_KEPT).sum()) + 1, COMPONENTS_MAX, len(shares))
    unit = float(np.sqrt(found.explained_variance_[:kept].sum())) or 1.0
    return Space(found.mean_, found.components_[:kept], unit)


def frechet(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Between Gaussians with the means and covariances of two sets of rows."""
    means = first.mean(axis=0) - second.mean(axis=0)
    one, other = (np.atleast_2d(np.cov(rows, rowvar=False)) for rows in (first, second))
    root = np.asarray(sqrtm(one @ other))
    return max(
        0.0, float(means @ means + np.trace(one) + np.trace(other) - 2 * np.trace(root.real))
    )


def mmd(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """The unbiased squared distance of means in the space of a Gaussian kernel."""
    apart = cdist(second, second, "sqeuclidean")
    width = float(np.median(apart[np.triu_indices(len(second), 1)])) or 1.0
    means = []
    for distances in (cdist(first, first, "sqeuclidean"), apart):
        near = np.exp(-distances / width)
        means.append((near.sum() - len(near)) / (len(near) * (len(near) - 1)))
    across = np.exp(-cdist(first, second, "sqeuclidean") / width).mean()
    return float(means[0] + means[1] - 2 * across)


def figure(
    distance: Any,
    made: NDArray[np.float64],
    real: NDArray[np.float64],
    simple: NDArray[np.float64],
    subject: Subject,
    method: Method,
) -> Figure:
    """The interval draws halves without replacement, since a row drawn twice is at no distance of
    itself; the mean of such a half spreads as that of as many rows drawn with (Efron, 1982).
    """
    rng = np.random.default_rng(subject.seed)
    value = distance(made, real)
    found = []
    for draw in range(method.draws):
        one, other = (rng.permutation(len(rows))[: len(rows) // 2] for rows in (made, real))
        found.append(distance(made[one], real[other]))
        subject.beat(draw)
    off = np.percentile(found, PERCENTILES) - np.median(found)
    base = distance(simple, real)
    return Figure(
        value, max(0.0, value + off[0]), value + off[1], base, BASELINE, lower_is_better=True
    )


@dataclass(frozen=True)
class Named:
    """What a classifier says of samples; nothing where the rows have no classes."""

    figures: dict[str, Figure]
    methods: Mapping[str, Method]
    report: dict[str, Any]


def judge(subject: Subject, made: NDArray[np.float32]) -> Named:
    """How sure a classifier is of the samples, and how many classes it names, each in at least one
    of fifty samples and with at least 60 % confidence. It is a network of ours, trained on the
    training rows; what it gets right of the test rows says what its word is worth.
    """
    if subject.shape.target is not Target.CLASSES or len(subject.classes) < 2:
        return Named({}, {}, {})
    classifier = trained_judge(subject)
    chances = answers_of(classifier, made, beat=subject.beat)
    sure = chances.max(axis=1)
    named = np.bincount(
        chances.argmax(axis=1)[sure >= CONFIDENCE_LEAST], minlength=len(subject.classes)
    )
    low, high = mean_interval(sure, seed=subject.seed)
    figures = {
        "sample_confidence": Figure(float(sure.mean()), low, high),
        "sample_classes": Figure(float((named >= NAMED_SHARE * len(made)).sum())),
    }
    report = {
        "accuracy": share_right(classifier, subject.test, beat=subject.beat),
        "named": {name: int(n) for name, n in zip(subject.classes, named, strict=True)},
    }
    return Named(figures, {"sample_confidence": bootstrapped(len(sure), "samples")}, report)


def share_right(classifier: Predictor, rows: Rows, *, beat: Beat) -> float:
    right = 0
    flat = rows.features.reshape(len(rows), -1)
    for some, chances in answers_in_parts(classifier, flat, beat=beat):
        right += int((chances.argmax(axis=1) == rows.targets[some]).sum())
    return right / len(rows)


def trained_judge(subject: Subject) -> Predictor:
    some = drawn(np.arange(len(subject.train)), JUDGE_ROWS_MAX, seed=subject.seed)
    train = subject.train.take(some)  # drawn, since a file may hold one class after the other
    features = train.features.reshape(len(train), -1)
    shape = DataShape.table(features.shape[1], len(subject.classes))
    data = TrainingData(features, train.targets, features[:0], train.targets[:0])
    module = subject.module
    run = trainer.Trainer(config.parse(JUDGE, shape), data, seed=subject.seed, module=module)
    for _ in run.run(on_progress=lambda step: bool(subject.beat(step)) or True):
        subject.beat(0)
    content = run.export(modelfile.Signature((), ()), {})
    return Predictor(content, module=module, limits=walls.PREDICTION)
