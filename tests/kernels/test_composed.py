"""Whatever layers mallory puts together: refused by path, or trained and used; never a crash."""

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from kernels import build, config
from kernels.data import DataShape, Target, random_data
from kernels.fields import Choice, Flag, Powers, Real, Reals, Sides, Whole
from kernels.layers import VOCABULARY
from kernels.limits import DeadlineExceeded, Limits, OutOfMemory
from kernels.modelfile import Signature
from kernels.predictor import Predictor, RowsRefused
from kernels.settings import FIELDS, LOSSES, PATTERNS, SCHEDULE
from kernels.trainer import NonFinite, Trainer

LIMITS = Limits(memory_bytes=64 * 2**20, deadline_seconds=20)
SHAPES = [
    DataShape.table(6, 3),
    DataShape((5, 4), Target.CLASSES, 2),
    DataShape((5, 4), Target.STEP_CLASSES, 3),
    DataShape((6, 5, 2), Target.CLASSES, 2),
    DataShape((7,), Target.VALUES, 2),
    DataShape((4, 3), Target.VALUES, 3),
    DataShape((5,), Target.MARKS, 4),
    DataShape((6,), Target.CLASSES, 2, vocabulary=9),
    DataShape((6,), Target.NEXT, 9, vocabulary=9),
    DataShape((4,), Target.ACTIONS, 3),
]


def values_of(field):
    """Values that are often right, small enough to be trained in no time."""
    match field:
        case Whole():
            return st.integers(max(field.low, 1), min(field.high, max(field.low, 9)))
        case Real():
            return st.floats(field.low, min(field.high, 1.0)) | st.just(field.low)
        case Choice():
            return st.sampled_from(list(field.known))
        case Flag():
            return st.booleans()
        case Powers():
            return st.sampled_from([1, 2, 4])
        case Sides():
            return st.lists(st.integers(1, 6), min_size=field.least, max_size=field.most)
        case Reals():
            return st.lists(st.floats(0.1, 2.0), min_size=2, max_size=3)
    raise AssertionError(field)


def written(word):
    fields = VOCABULARY[word].fields
    values = {key: values_of(field) for key, field in fields.items()}
    optional = {key: values.pop(key) for key in VOCABULARY[word].defaults if key in values}
    return st.fixed_dictionaries({"type": st.just(word), **values}, optional=optional)


LAYERS = st.lists(st.sampled_from(sorted(VOCABULARY)).flatmap(written), min_size=1, max_size=4)
EXTRA = {key: values_of(field) for key, field in FIELDS.items() if key not in ("epochs",)}
ALL_LOSSES = sorted({loss for losses in LOSSES.values() for loss in losses})


@st.composite
def compositions(draw):
    kind = draw(st.sampled_from(["feedforward", "lstm", "transformer", "autoencoder", "gan"]))
    needed = {"epochs": 2, "batch_size": 4, "learning_rate": 0.01, "optimizer": "adam"}
    keys = draw(st.lists(st.sampled_from([*EXTRA, "loss", "schedule"]), max_size=3, unique=True))
    extra = {key: draw(EXTRA[key]) for key in keys if key in EXTRA}
    if "loss" in keys:
        extra["loss"] = draw(st.sampled_from(ALL_LOSSES))
    if "schedule" in keys:
        extra["schedule"] = {
            key: draw(values_of(field)) for key, field in SCHEDULE.items() if draw(st.booleans())
        }
    pattern = draw(st.none() | st.sampled_from(PATTERNS))
    divergent = {
        "enabled": pattern is not None,
        "pattern": pattern or "lateral",
        "factor": draw(st.sampled_from([0, 1e-6, 0.5, 1])),
    }
    return {
        "architecture": {"type": kind, "layers": draw(LAYERS)},
        "training": needed | extra,
        "divergent": divergent,
    }


@settings(max_examples=250, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=compositions(), shape=st.sampled_from(SHAPES))
def test_any_composition_is_refused_by_path_or_trained_and_used(raw, shape):
    try:
        parsed = config.parse(raw, shape)
    except config.ConfigError as error:
        assert error.problems
        assert all(problem.path and problem.reason for problem in error.problems)
        return
    assert config.parse(parsed.to_json(), shape).digest() == parsed.digest()
    assume(sum(int(np.prod(p.shape)) for p in parsed.parameters) < 200_000)
    try:
        run = Trainer(
            parsed,
            random_data(shape, 12, validation_rows=5),
            seed=1,
            module=build.module(),
            limits=LIMITS,
        )
        list(run.run(steps=4))
        predictor = Predictor(run.export(Signature((), ()), {}), module=build.module())
        predictor.outputs(predictor.example_rows(3))
    except (config.ConfigError, NonFinite, OutOfMemory, DeadlineExceeded, RowsRefused) as refusal:
        assert str(refusal)
