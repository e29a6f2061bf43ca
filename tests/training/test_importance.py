"""What is dealt together where a model is asked which columns it needs."""

from dataclasses import replace

import numpy as np

from kernels.data import DataShape
from tests.training.subjects import ROWS, subject
from training.runner import importance
from training.runner.recipes import Form, Kind, Recipe, Role, feature_names
from training.runner.recipes.columns import Column
from training.runner.subjects import Judged


def test_a_category_is_dealt_whole_and_a_number_alone_whatever_they_are_called():
    columns = (
        Column("age=old", Kind.NUMBER),
        Column("kind", Kind.CATEGORY, Role.TARGET, values=("a", "b")),
        Column("color=of", Kind.CATEGORY, values=("red", "blue")),
        Column("color", Kind.CATEGORY, values=("red", "blue", "green")),
        Column("color=3", Kind.NUMBER),
    )
    recipe = Recipe(Form.TABLE, columns)
    features = np.zeros((2 * ROWS, 7), np.float32)
    small = {"type": "feedforward", "layers": [{"type": "dense", "units": 4}]}
    classes = np.zeros(2 * ROWS, np.int32)
    made = subject(Judged.CLASSES, small, DataShape.table(7, 2), features, classes)
    asked = replace(made, recipe=recipe.to_json(), features=feature_names(recipe))
    dealt = {name: places.tolist() for name, places in importance.columns_of(asked).items()}
    assert dealt == {"age=old": [0], "color=of": [1, 2], "color": [3, 4, 5], "color=3": [6]}
