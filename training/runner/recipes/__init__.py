"""Recipes: how what people write becomes the numbers of a row, and what is asked of them.

Plain NumPy, so that the web process may read recipes and turn rows into numbers as the worker did.
"""

from training.runner.recipes.columns import Column, Kind, Role, RowRefused
from training.runner.recipes.decoding import decode_columns
from training.runner.recipes.encoding import (
    encode_columns,
    encode_rows,
    encode_targets,
    read_asked,
)
from training.runner.recipes.recipe import Form, Recipe, RecipeRefused, majority
from training.runner.recipes.shapes import feature_names, input_of, shape_of
from training.runner.recipes.split import Split, SplitKind, SplitRefused

__all__ = [
    "Column",
    "Form",
    "Kind",
    "Recipe",
    "RecipeRefused",
    "Role",
    "RowRefused",
    "Split",
    "SplitKind",
    "SplitRefused",
    "decode_columns",
    "encode_columns",
    "encode_rows",
    "encode_targets",
    "feature_names",
    "input_of",
    "majority",
    "read_asked",
    "shape_of",
]
