"""What the data of a network are: the shape of an example, and what is asked of it."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.graph import Shape, count


class DataError(ValueError):
    """Training data that does not fit its description; the text names the array and the row."""


class Target(StrEnum):
    """What belongs to each example."""

    CLASSES = "classes"  # one of so many classes
    STEP_CLASSES = "step_classes"  # a class for each step of a sequence
    VALUES = "values"  # so many numbers
    MARKS = "marks"  # yes or no to so many questions, as 1 or 0
    NEXT = "next"  # the tokens themselves, one step later
    ACTIONS = "actions"  # an action, and the number that it earned or should be worth


@dataclass(frozen=True)
class DataShape:
    """`input` is the shape of one example: (features,), (steps, width), (height, width, channels);
    with a `vocabulary` it is (steps,) of tokens. `size` counts the classes, values or actions.
    """

    input: Shape
    target: Target
    size: int
    vocabulary: int = 0

    @classmethod
    def table(cls, features: int, classes: int) -> "DataShape":
        """Rows of numbers, and a class for each."""
        return cls((features,), Target.CLASSES, classes)

    @property
    def features(self) -> int:
        return count(self.input)

    @property
    def columns(self) -> int:
        """What is measured and standardised alike: a feature, a channel of a sequence or picture;
        tokens are not.
        """
        return 0 if self.vocabulary else self.input[-1]

    @property
    def dtype(self) -> str:
        return "u4" if self.vocabulary else "f4"

    @property
    def target_columns(self) -> tuple[int, str]:
        """How many numbers belong to an example, and of which type."""
        match self.target:
            case Target.VALUES | Target.MARKS:
                return self.size, "f4"
            case Target.ACTIONS:
                return 1, "u4"
            case Target.STEP_CLASSES | Target.NEXT:
                return self.input[0], "u4"
        return 1, "u4"

    def to_json(self) -> dict[str, Any]:
        found = {"input": list(self.input), "target": self.target.value, "size": self.size}
        return found | ({"vocabulary": self.vocabulary} if self.vocabulary else {})


@dataclass(frozen=True)
class TrainingData:
    """Rows are (n, *input), float32 or, as tokens, whole numbers. Targets are whole numbers (n,)
    for classes, (n, steps) for a class at each step, and float32 (n, size) for values and marks;
    where the next token is asked for, they are the rows moved by one. `rewards` (n,) belong to
    actions. Validation may be empty.
    """

    train_rows: NDArray[Any]
    train_targets: NDArray[Any]
    validation_rows: NDArray[Any]
    validation_targets: NDArray[Any]
    train_rewards: NDArray[np.float32] | None = None
    validation_rewards: NDArray[np.float32] | None = None


def check_data(shape: DataShape, data: TrainingData) -> None:
    """DataError unless every array is what the shape says."""
    if not len(data.train_rows):
        raise DataError("train_rows: there are none")
    for part in ("train", "validation"):
        rows, targets = getattr(data, f"{part}_rows"), getattr(data, f"{part}_targets")
        check_rows(shape, rows, f"{part}_rows")
        check_targets(shape, targets, len(rows), f"{part}_targets")
        if shape.target is Target.ACTIONS:
            check_numbers(getattr(data, f"{part}_rewards"), (len(rows),), f"{part}_rewards")


def check_rows(shape: DataShape, rows: NDArray[Any], name: str) -> None:
    if shape.vocabulary:
        check_indices(rows, (len(rows), *shape.input), shape.vocabulary, name)
    else:
        check_numbers(rows, (len(rows), *shape.input), name)


def check_targets(shape: DataShape, targets: NDArray[Any], rows: int, name: str) -> None:
    match shape.target:
        case Target.VALUES:
            check_numbers(targets, (rows, shape.size), name)
        case Target.MARKS:
            check_numbers(targets, (rows, shape.size), name)
            if not ((targets >= 0) & (targets <= 1)).all():
                raise DataError(f"{name}: marks must be from 0 to 1")
        case Target.STEP_CLASSES:
            check_indices(targets, (rows, shape.input[0]), shape.size, name)
        case Target.NEXT:
            check_indices(targets, (rows, shape.input[0]), shape.vocabulary, name)
        case _:
            check_indices(targets, (rows,), shape.size, name)


def check_numbers(values: NDArray[Any] | None, shape: Shape, name: str) -> None:
    if values is None or values.shape != shape:
        found = None if values is None else values.shape
        raise DataError(f"{name}: must be {shape_of(shape)}, not {found}")
    if not np.isfinite(values).all():
        row = int(np.argwhere(~np.isfinite(values))[0][0])
        raise DataError(f"{name}: row {row} holds a number that is not finite")


def check_indices(values: NDArray[Any], shape: Shape, bound: int, name: str) -> None:
    if values.shape != shape:
        raise DataError(f"{name}: must be {shape_of(shape)}, not {values.shape}")
    if values.dtype.kind not in "iu":
        raise DataError(f"{name}: must be whole numbers, not {values.dtype}")
    if values.size and not 0 <= int(values.min()) <= int(values.max()) < bound:
        raise DataError(f"{name}: must be from 0 to {bound - 1}")


def shape_of(shape: Shape) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def arrays(data: TrainingData) -> Mapping[str, NDArray[Any]]:
    """The arrays by name, as they are trained on: float32, or 32-bit whole numbers."""
    found = {name: value for name, value in vars(data).items() if value is not None}
    return {
        name: np.ascontiguousarray(value, "<u4" if value.dtype.kind in "iu" else "<f4")
        for name, value in found.items()
    }


def digest(data: TrainingData) -> str:
    """SHA-256 of names, shapes and bits of the arrays as they are trained on."""
    found = hashlib.sha256()
    for name, array in arrays(data).items():
        found.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        found.update(array.tobytes())
    return found.hexdigest()


def random_data(shape: DataShape, rows: int, *, validation_rows: int = 0) -> TrainingData:
    """Numbers from a normal distribution, tokens and classes at random, always the same: what time
    and memory are measured on where there are no data yet.
    """
    rng = np.random.default_rng(1)

    def of(n: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32] | None]:
        sides = (n, *shape.input)
        if shape.vocabulary:
            given: NDArray[Any] = rng.integers(0, shape.vocabulary, sides).astype(np.uint32)
        else:
            given = rng.standard_normal(sides).astype(np.float32)
        rewards = rng.standard_normal(n).astype(np.float32)
        return (
            given,
            random_targets(rng, shape, given),
            (rewards if shape.target is Target.ACTIONS else None),
        )

    first, second = of(rows), of(validation_rows)
    return TrainingData(first[0], first[1], second[0], second[1], first[2], second[2])


def random_targets(rng: np.random.Generator, shape: DataShape, rows: NDArray[Any]) -> NDArray[Any]:
    n = len(rows)
    match shape.target:
        case Target.VALUES:
            return rng.standard_normal((n, shape.size)).astype(np.float32)
        case Target.MARKS:
            return rng.integers(0, 2, (n, shape.size)).astype(np.float32)
        case Target.STEP_CLASSES:
            return rng.integers(0, shape.size, (n, shape.input[0])).astype(np.uint32)
        case Target.NEXT:
            return np.roll(rows, -1, axis=1)
    return rng.integers(0, shape.size, n).astype(np.uint32)
