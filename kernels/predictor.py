"""Use of a model: rows in, probabilities out, in a sandbox of its own.

A row's answer is the same bits whatever rows it comes with: blocks of 32 rows and single rows are
programs of one tape, and no sum crosses a row.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import modelfile, programs
from kernels.build import Module
from kernels.limits import Limits
from kernels.runtime import Sandbox


class RowsRefused(ValueError):
    """Input that does not fit the model; the text says which row and what would fit."""


class Predictor:
    """A loaded model.

    Raises ModelRefused for bytes that are no model, SandboxError where it exceeds the limits.
    """

    def __init__(self, model: bytes, *, module: Module, limits: Limits | None = None) -> None:
        self.model = modelfile.load(model)
        self._plan = programs.prediction_plan(self.model.config)
        self._sandbox = Sandbox(module, self._plan.plan, limits or Limits())
        for name, node in self._plan.weights.parts.items():
            self._sandbox.array(node)[...] = self.model.weights[name]
        self._sandbox.array(self._plan.columns.mean)[...] = self.model.mean
        self._sandbox.array(self._plan.columns.scale)[...] = self.model.scale
        self._rows = self._sandbox.array(self._plan.rows)
        self._probabilities = self._sandbox.array(self._plan.probabilities)

    @property
    def peak_memory_bytes(self) -> int:
        """The sandbox's memory: module, tape, weights and the largest activations."""
        return self._sandbox.memory_bytes

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities (n, classes) of rows (n, features).

        Raises RowsRefused, and SandboxError when a limit is reached.
        """
        given = self._checked(rows)
        found = np.empty((len(given), self.model.config.classes), np.float32)
        for start in range(0, len(given), len(self._rows)):
            part = given[start : start + len(self._rows)]
            self._rows[: len(part)] = part
            self._predict(len(part))
            found[start : start + len(part)] = self._probabilities[: len(part)]
        if not np.isfinite(found).all():
            row = int(np.argwhere(~np.isfinite(found))[0][0])
            raise RowsRefused(f"row {row}: its numbers are so large that the network overflows")
        return found

    def _predict(self, rows: int) -> None:
        blocks = rows // programs.PREDICTION_ROWS
        self._sandbox.run("many", 0, blocks)
        first = blocks * programs.PREDICTION_ROWS
        self._sandbox.run("one", first, rows - first)

    def _checked(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        features = self.model.config.features
        if rows.ndim != 2 or rows.shape[1] != features:
            raise RowsRefused(f"rows: must be (n, {features}), not {rows.shape}")
        with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
            given = np.ascontiguousarray(rows, np.float32)
        if not np.isfinite(given).all():
            row = int(np.argwhere(~np.isfinite(given))[0][0])
            raise RowsRefused(f"row {row}: holds a number that is not finite")
        return given
