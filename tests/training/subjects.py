"""Models that are validated without a database: trained for an epoch on a few of the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import build, config, modelfile, trainer
from kernels.data import DataShape, TrainingData
from kernels.predictor import Predictor
from training.runner import walls
from training.runner.rows import Part, Rows
from training.runner.subjects import Judged, Subject

ROWS = 64


def subject(
    judged: Judged,
    architecture: dict[str, Any],
    shape: DataShape,
    features: NDArray[Any],
    targets: NDArray[Any],
    *,
    test_share: float = 0.5,
    beat: Callable[[int], object] = int,
) -> Subject:
    """The last rows are for the test, the others to train on."""
    training = {"epochs": 1, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"}
    data = TrainingData(features[:ROWS], targets[:ROWS], features[:0], targets[:0])
    parsed = config.parse({"architecture": architecture, "training": training}, shape)
    run = trainer.Trainer(parsed, data, seed=0, module=build.module())
    list(run.run())
    content = run.export(modelfile.Signature((), ()), {})
    parts = np.full(len(features), Part.TRAIN, np.int8)
    parts[int(len(features) * (1 - test_share)) :] = Part.TEST
    return Subject(
        judged=judged,
        content=content,
        module=build.module(),
        predictor=Predictor(content, module=build.module(), limits=walls.PREDICTION),
        rows=Rows(features, targets, parts),
        shape=shape,
        classes=(),
        features=(),
        recipe={},
        image_shape=None,
        beat=beat,
    )
