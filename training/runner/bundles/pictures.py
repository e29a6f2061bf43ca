"""Handwritten digits (UCI, test part) of scikit-learn, as rows of numbers and as pictures."""

from dataclasses import replace

import numpy as np
import sklearn.datasets

from training.runner.bundles.bundle import Bundle, asked, numbers
from training.runner.recipes import Column, Form, Kind, Recipe

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
    """The digits as pictures, split as they are."""
    flat = digits()
    recipe = Recipe(
        Form.IMAGES,
        (Column("picture", Kind.IMAGE), *flat.recipe.targets),
        height=SIDE,
        width=SIDE,
        channels=1,
        white=WHITE,
    )
    return replace(
        flat,
        features=flat.features.reshape(-1, SIDE, SIDE, 1),
        recipe=recipe,
    )
