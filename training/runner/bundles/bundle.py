"""What a bundled dataset is before it is split and stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.data import DataShape
from training.runner.recipes import Column, Form, Kind, Recipe, Role, feature_names, shape_of

# One split for all, drawn by one seed: chosen before anything was measured.
SHARES = {"train": 0.7, "validation": 0.15, "test": 0.15}


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """features [rows, *input], float32 or tokens as uint32, as the recipe makes them of what people
    write; targets [rows, …] as `kernels.data` says for what is asked. `strata` int [rows] are
    spread evenly over the parts; `parts` int8 [rows] are given where rows must not be drawn one by
    one; `split_by` int32 [rows] are the numbers of the groups that they were drawn in.
    """

    features: NDArray[Any]
    targets: NDArray[Any]
    recipe: Recipe
    image_shape: list[int] | None = None
    split: Mapping[str, Any] = field(default_factory=lambda: split_of("stratified"))
    strata: NDArray[Any] | None = None
    parts: NDArray[np.int8] | None = None
    split_by: NDArray[np.int32] | None = None

    @property
    def shape(self) -> DataShape:
        return shape_of(self.recipe)

    @property
    def feature_names(self) -> list[str]:
        return list(feature_names(self.recipe))

    @property
    def classes(self) -> list[str]:
        """The names of the classes, or of the values that are asked for."""
        names = [column.name for column in self.recipe.targets]
        if self.recipe.kind is Form.SERIES:
            ahead = range(1, self.recipe.horizon + 1)
            return [f"{name} t+{step}" for step in ahead for name in names]
        return list(self.recipe.classes) or names


def split_of(kind: str, column: str = "") -> dict[str, Any]:
    """How the rows are split, as a dataset's row says it."""
    return {"kind": kind, **SHARES, "seed": 0, "column": column}


def numbers(names: Sequence[str]) -> tuple[Column, ...]:
    """Columns of numbers that a network is given."""
    return tuple(Column(name, Kind.NUMBER) for name in names)


def asked(name: str, classes: Sequence[str] = ()) -> Column:
    """The column that is asked for: a class where there are some, else a number."""
    kind = Kind.CATEGORY if classes else Kind.NUMBER
    return Column(name, kind, Role.TARGET, values=tuple(classes))
