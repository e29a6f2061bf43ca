"""Every kind of network with data of its own, small enough to be trained in a moment."""

import numpy as np

from kernels.data import DataShape, Target, TrainingData

RNG = np.random.default_rng(5)
ROWS = 160


def raw(kind, layers, divergent=None, **training):
    options = training.pop("options", {})
    found = {
        "architecture": {"type": kind, "layers": layers, **options},
        "training": {"epochs": 6, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"}
        | training,
    }
    if divergent:
        found["divergent"] = {"enabled": True, "pattern": divergent, "factor": 0.4}
    return found


def split(rows, targets, rewards=None):
    def parts(values):
        return (values[:120], values[120:]) if values is not None else (None, None)

    (train, validation), (own, other) = parts(rows), parts(targets)
    return TrainingData(train, own, validation, other, *parts(rewards))


def numbers(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


POINTS = numbers(ROWS, 6)
SIDES = (POINTS[:, 0] * POINTS[:, 1] > 0).astype(np.int32) + (POINTS[:, 2] > 1)
SUMS = np.stack([POINTS.sum(axis=1) * 40 + 7, POINTS[:, 0] * 3], axis=1).astype(np.float32)
CURVED = (POINTS[:, :2] @ numbers(2, 12) * 3 + 5).astype(np.float32)
NONE = np.zeros(ROWS, np.int32)
ACTIONS = RNG.integers(0, 3, ROWS).astype(np.int32)
EARNED = np.where(ACTIONS == SIDES % 3, 1, -1).astype(np.float32)

DENSE = [{"type": "dense", "units": 16, "activation": "tanh"}]
CLASSES = DataShape((6,), Target.CLASSES, 3)
VALUES = DataShape((6,), Target.VALUES, 2)
ITSELF = DataShape((12,), Target.CLASSES, 1)
ACTING = DataShape((6,), Target.ACTIONS, 3)
SIDED, SUMMED = split(POINTS, SIDES), split(POINTS, SUMS)
SELF, ACTED = split(CURVED, NONE), split(POINTS, ACTIONS, EARNED)
CODE = [{"type": "dense", "units": 16}, {"type": "dense", "units": 2, "activation": "linear"}]

# sequences of 7 steps of 2 numbers, and pictures of 6 x 7 pixels of 2 channels
WAVES = numbers(ROWS, 7, 2)
RISES = (WAVES[:, :, 0].sum(axis=1) > 0).astype(np.int32)
SIGNS = (np.cumsum(WAVES[:, :, 0], axis=1) > 0).astype(np.int32)
LAST = (WAVES[:, -1] * 2 + WAVES[:, -2]).astype(np.float32)
PICTURES = numbers(ROWS, 6, 7, 2)
SPOTS = (PICTURES[:, 1:4, 1:4, 0].sum(axis=(1, 2)) > 0).astype(np.int32)
PICTURES[:, 1:4, 1:4, 0] += SPOTS[:, None, None]
WAVE = DataShape((7, 2), Target.CLASSES, 2)
STEPS = DataShape((7, 2), Target.STEP_CLASSES, 2)
FORECAST = DataShape((7, 2), Target.VALUES, 2)
PICTURE = DataShape((6, 7, 2), Target.CLASSES, 2)
LSTM = {"type": "lstm", "units": 9}
BOTH_WAYS = LSTM | {"return_sequences": True, "bidirectional": True}
EYES = [
    {"type": "conv2d", "filters": 5, "kernel_size": 3, "padding": "same"},
    {"type": "maxpool2d", "pool_size": 2},
    {"type": "conv2d", "filters": 6, "kernel_size": 2, "activation": "gelu"},
]

# texts of 8 tokens out of 11: the class is whether there is a 3; each other token follows its left
TEXTS = RNG.integers(0, 11, (ROWS, 8))
TEXTS[:, 1::2] = (TEXTS[:, ::2] * 3 + 1) % 11
HAS_THREE = (TEXTS == 3).any(axis=1).astype(np.int32)
FOLLOWING = np.concatenate([TEXTS[:, 1:], TEXTS[:, :1]], axis=1)
TEXT = DataShape((8,), Target.CLASSES, 2, vocabulary=11)
NEXT = DataShape((8,), Target.NEXT, 11, vocabulary=11)
WORDS = [{"type": "embedding", "vocab_size": 11, "embed_dim": 12}]
BLOCK = {"type": "transformer_block", "heads": 3, "ff_dim": 20, "dropout": 0.1}

# name → configuration, what the data are, the data, how much smaller the loss becomes
CASES = {
    "classes": (raw("feedforward", DENSE), CLASSES, SIDED, 0.9),
    "smoothed and weighed classes": (
        raw("feedforward", DENSE, label_smoothing=0.1, class_weights=[1, 2, 0.5]),
        CLASSES,
        SIDED,
        0.95,
    ),
    "values": (raw("feedforward", DENSE), VALUES, SUMMED, 0.3),
    "values by mae": (raw("feedforward", DENSE, loss="mae"), VALUES, SUMMED, 0.6),
    "values by huber": (raw("feedforward", DENSE, loss="huber", delta=0.5), VALUES, SUMMED, 0.5),
    "a quantile": (raw("feedforward", DENSE, loss="quantile", quantile=0.9), VALUES, SUMMED, 0.6),
    "marks": (
        raw("feedforward", DENSE),
        DataShape((6,), Target.MARKS, 3),
        split(POINTS, (POINTS[:, :3] > 0).astype(np.float32)),
        0.7,
    ),
    "an autoencoder": (raw("autoencoder", CODE), ITSELF, SELF, 0.8),
    "a denoising autoencoder": (
        raw("autoencoder", CODE, options={"noise": 0.2}),
        ITSELF,
        SELF,
        0.9,
    ),
    "a variational autoencoder": (
        raw("autoencoder", CODE, options={"variational": True, "beta": 0.1}),
        ITSELF,
        SELF,
        0.95,
    ),
    "adversaries": (raw("gan", DENSE, options={"latent": 4}), ITSELF, SELF, 1.5),
    "a policy": (raw("feedforward", DENSE, loss="reinforce"), ACTING, ACTED, 1.0),
    "action values": (raw("feedforward", DENSE, loss="dqn"), ACTING, ACTED, 0.9),
    "all that cuts and regularises": (
        raw(
            "feedforward",
            [*DENSE, {"type": "dropout", "rate": 0.1}],
            optimizer="adamw",
            weight_decay=0.01,
            l1=1e-4,
            l2=1e-3,
            clip_norm=1.0,
            clip_value=0.5,
            schedule={"kind": "cosine", "warmup_steps": 5},
        ),
        CLASSES,
        SIDED,
        0.98,
    ),
    "chaotic steps": (raw("feedforward", DENSE, divergent="chaotic"), CLASSES, SIDED, 0.9),
    "nesterov on a plateau": (
        raw(
            "feedforward",
            DENSE,
            optimizer="sgd",
            momentum=0.9,
            nesterov=True,
            schedule={"kind": "plateau", "patience": 1, "factor": 0.5},
        ),
        CLASSES,
        SIDED,
        0.95,
    ),
    "rmsprop by steps": (
        raw(
            "feedforward", DENSE, optimizer="rmsprop", schedule={"kind": "step", "every_epochs": 2}
        ),
        CLASSES,
        SIDED,
        0.95,
    ),
    "adversaries on shards": (
        raw("gan", DENSE, options={"latent": 4}, shards=2),
        ITSELF,
        SELF,
        1.5,
    ),
    "classes on four shards": (
        raw("feedforward", [*DENSE, {"type": "dropout", "rate": 0.1}], shards=4),
        CLASSES,
        SIDED,
        0.9,
    ),
    "an lstm to one": (raw("lstm", [LSTM]), WAVE, split(WAVES, RISES), 0.9),
    "an lstm to each step": (
        raw("lstm", [BOTH_WAYS | {"dropout": 0.1}, LSTM | {"return_sequences": True}]),
        STEPS,
        split(WAVES, SIGNS),
        0.9,
    ),
    "an lstm that foretells": (
        raw("lstm", [BOTH_WAYS, LSTM], loss="huber"),
        FORECAST,
        split(WAVES, LAST),
        0.7,
    ),
    "pictures": (raw("feedforward", EYES), PICTURE, split(PICTURES, SPOTS), 0.9),
    "pictures averaged": (
        raw("feedforward", [*EYES, {"type": "global_average_pooling"}]),
        PICTURE,
        split(PICTURES, SPOTS),
        0.99,
    ),
    "an autoencoder of pictures": (
        raw("autoencoder", [*EYES[:1], {"type": "flatten"}, *CODE]),
        DataShape((6, 7, 2), Target.CLASSES, 1),
        split(PICTURES, NONE),
        0.99,
    ),
    "a transformer": (
        raw("transformer", [*WORDS, BLOCK]),
        TEXT,
        split(TEXTS, HAS_THREE),
        0.95,
    ),
    "a transformer that writes": (
        raw("transformer", [*WORDS, BLOCK]),
        NEXT,
        split(TEXTS, FOLLOWING),
        0.9,
    ),
    "an lstm that writes": (
        raw("lstm", [*WORDS, LSTM | {"return_sequences": True}]),
        NEXT,
        split(TEXTS, FOLLOWING),
        0.95,
    ),
    "adagrad": (raw("feedforward", DENSE, optimizer="adagrad"), CLASSES, SIDED, 0.98),
}
