"""Handwritten digits (UCI, test part) of scikit-learn, as rows of numbers and as pictures."""

import numpy as np
import sklearn.datasets

from training.runner.augmentation import moved
from training.runner.bundles.bundle import Bundle, asked, numbers
from training.runner.bundles.parts import stratified
from training.runner.recipes import Column, Form, Kind, Recipe
from training.runner.rows import Part

SIDE = 8
WHITE = 16  # the brightest of the 17 grey levels


def digits() -> Bundle:
    """1,797 handwritten digits of 8 × 8 pixels with 17 grey levels, a row of 64 numbers each."""
    data = sklearn.datasets.load_digits()
    digit = asked("digit", [str(name) for name in data.target_names])
    return Bundle(
        features=data.data.astype(np.float32),
        targets=data.target.astype(np.uint32),
        recipe=Recipe(Form.TABLE, (*numbers(data.feature_names), digit)),
        image_shape=[SIDE, SIDE],
        strata=data.target,
    )


def digit_pictures() -> Bundle:
    """The digits as pictures, split as they are; then each picture of the training part comes four
    times more, moved by one pixel to each side. No moved picture is in another part.
    """
    flat = digits()
    pictures = flat.features.reshape(-1, SIDE, SIDE, 1)
    parts = stratified(flat.targets, seed=0)
    trained = parts == Part.TRAIN
    places = np.arange(len(pictures), dtype=np.int32)
    copies = moved(pictures[trained])
    recipe = Recipe(
        Form.IMAGES,
        (Column("picture", Kind.IMAGE), *flat.recipe.targets),
        height=SIDE,
        width=SIDE,
        channels=1,
        white=WHITE,
    )
    return Bundle(
        features=np.concatenate([pictures, copies]),
        targets=np.concatenate([flat.targets, np.tile(flat.targets[trained], 4)]),
        recipe=recipe,
        image_shape=[SIDE, SIDE],
        parts=np.concatenate([parts, np.full(len(copies), Part.TRAIN, np.int8)]),
        split_by=np.concatenate([places, np.tile(places[trained], 4)]),  # a picture and its copies
    )
