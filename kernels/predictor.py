"""Use of a model: rows in, answers out, in a sandbox of its own.

A row's answer is the same bits whatever rows it comes with: one program serves any number of them,
and no sum crosses a row.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import forward, modelfile, profile
from kernels.build import Module
from kernels.graph import count
from kernels.limits import Limits
from kernels.runtime import Sandbox
from kernels.tensors import ModelRefused


class RowsRefused(ValueError):
    """Input that does not fit the model; the text says which row and what would fit."""


@dataclass(frozen=True)
class Port:
    """What goes in, or comes out, for each row: its name, the type of its numbers, its shape."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Predictor:
    """A loaded model.

    Raises ModelRefused for bytes that are no model, SandboxError where it exceeds the limits.
    """

    def __init__(self, model: bytes, *, module: Module, limits: Limits | None = None) -> None:
        self.model, self._module = modelfile.load(model), module
        unit = self.model.forward(1)
        (self._name, example), *others = unit.inputs.items()
        if others or (example.shape or (0,))[0] != 1:
            raise ModelRefused("graph: must have one input, of one row")
        self._shape = (example.shape or ())[1:]
        # so many tokens it knows, where it takes tokens
        self._vocabulary = forward.vocabulary(unit, example) if example.dtype == "u4" else 0
        self._steps = self._shape[0] if modelfile.foretells(self.model, unit) else None
        self._plan = forward.prediction_plan(self.model.forward, forward.capacity(unit))
        self._sandbox = Sandbox(module, self._plan.plan, limits or Limits())
        for name, node in self._plan.parameters.items():
            self._sandbox.array(node)[...] = self.model.arrays[name]
        self._rows = self._sandbox.array(self._plan.inputs[self._name])
        self._found = {n: self._sandbox.array(node) for n, node in self._plan.outputs.items()}

    @property
    def takes(self) -> Port:
        return Port(self._name, "u4" if self._vocabulary else "f4", self._shape)

    @property
    def gives(self) -> tuple[Port, ...]:
        """Of what has several blocks for each row, the shape begins with how many."""
        ports = []
        for name, array in self._found.items():
            each = len(array) // self._plan.capacity
            ports.append(Port(name, "f4", (*((each,) if each > 1 else ()), *array.shape[1:])))
        return tuple(ports)

    @property
    def sandbox(self) -> Sandbox:
        """Where it is computed, for those who measure."""
        return self._sandbox

    @property
    def capacity(self) -> int:
        """How many rows go into one call."""
        return self._plan.capacity

    def example_rows(self, rows: int) -> NDArray[Any]:
        """So many random rows that the model takes, always the same."""
        rng, shape = np.random.default_rng(1), (rows, *self._shape)
        if self._vocabulary:
            return rng.integers(0, self._vocabulary, shape).astype(np.uint32)
        return rng.standard_normal(shape).astype(np.float32)

    @property
    def vocabulary(self) -> int:
        """How many tokens it knows; 0 where it takes numbers."""
        return self._vocabulary

    @property
    def steps(self) -> int | None:
        """How many tokens it takes, where it answers each of them with chances for the next."""
        return self._steps

    @property
    def peak_memory_bytes(self) -> int:
        """The sandbox's memory: module, tape, weights and the largest activations."""
        return self._sandbox.memory_bytes

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """The first output for rows (n, *input): probabilities of classes, or values.

        Raises RowsRefused, and SandboxError when a limit is reached.
        """
        return next(iter(self.outputs(rows).values()))

    def outputs(self, rows: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """All outputs by name, each (n, …)."""
        given = self.checked(rows)
        found = self.computed(given)
        require_finite(found, len(given))
        return found

    def computed(self, given: NDArray[Any]) -> dict[str, NDArray[np.float32]]:
        """All outputs for rows that `checked` has seen, finite or not."""
        found = {
            name: np.empty((len(given) * len(array) // self._plan.capacity, *array.shape[1:]), "f4")
            for name, array in self._found.items()
        }
        for start in range(0, len(given), self._plan.capacity):
            part = given[start : start + self._plan.capacity]
            self._rows[: len(part)] = part
            self._sandbox.call(forward.PROGRAM, 0, 1, len(part))
            for name, array in self._found.items():
                each = len(array) // self._plan.capacity
                found[name][start * each : (start + len(part)) * each] = array[: len(part) * each]
        return found

    def profile(self, rows: int) -> profile.Profile:
        """Where the time of one call for so many rows goes, at most as many as a call takes."""
        most = min(rows, self._plan.capacity)
        return profile.measure(self._sandbox, forward.PROGRAM, module=self._module, rows=most)

    def checked(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows as the network takes them. Raises RowsRefused."""
        if rows.ndim and count(rows.shape[1:]) == count(self._shape):
            rows = rows.reshape(len(rows), *self._shape)  # a row may be given flat
        if rows.ndim != len(self._shape) + 1 or rows.shape[1:] != self._shape:
            wanted = ", ".join(map(str, ("n", *self._shape)))
            raise RowsRefused(f"rows: must be ({wanted}), not {rows.shape}")
        if self._vocabulary:
            return self._checked_tokens(rows)
        with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
            given = np.ascontiguousarray(rows, np.float32)
        if not np.isfinite(given).all():
            row = int(np.argwhere(~np.isfinite(given))[0][0])
            raise RowsRefused(f"row {row}: holds a number that is not finite")
        return given

    def _checked_tokens(self, rows: NDArray[Any]) -> NDArray[Any]:
        if rows.dtype.kind not in "iu":
            raise RowsRefused(f"rows: must be whole numbers, not {rows.dtype}")
        is_out = (rows < 0) | (rows >= self._vocabulary)
        if is_out.any():
            row = int(np.argwhere(is_out)[0][0])
            raise RowsRefused(f"row {row}: tokens must be from 0 to {self._vocabulary - 1}")
        return np.ascontiguousarray(rows, np.uint32)


def require_finite(found: Mapping[str, NDArray[np.float32]], rows: int) -> None:
    """Raises RowsRefused for the first of so many rows that has no answer in numbers."""
    for array in found.values():
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0]) * rows // len(array)
            raise RowsRefused(f"row {row}: its numbers are so large that the network overflows")
