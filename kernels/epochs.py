"""What happens between epochs: a rate that falls on a plateau, the best weights so far, an early
end. Everything here is a function of the validation losses, so a restored run does the same.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.schedules import Patience
from kernels.settings import Settings

Float = NDArray[np.float32]


class EpochEnds:
    """The memory of a run from epoch to epoch. `factor` multiplies the learning rate."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._plateau = Patience(settings.schedule.patience)
        self._stopping = Patience(settings.patience)
        self.factor = 1.0
        self.best: Float | None = None
        self.is_stopped = False

    @property
    def wants_validation(self) -> bool:
        return bool(self._settings.patience) or self._settings.schedule.kind == "plateau"

    def end(self, loss: float | None, weights: Float) -> None:
        """An epoch ended with this validation loss and these weights."""
        if loss is None:
            return
        if self._settings.schedule.kind == "plateau" and self._plateau.is_over(loss):
            self.factor *= self._settings.schedule.factor
        if self._settings.patience:
            if loss < self._stopping.best:
                self.best = weights.copy()
            self.is_stopped = self._stopping.is_over(loss)

    def state(self) -> dict[str, Any]:
        """What a checkpoint's text holds; `best` lies beside it as an array."""
        return {
            "factor": self.factor,
            "is_stopped": self.is_stopped,
            "plateau": written(self._plateau),
            "stopping": written(self._stopping),
        }

    def restore(self, stated: Mapping[str, Any], best: Float | None) -> None:
        self.factor, self.is_stopped = float(stated["factor"]), bool(stated["is_stopped"])
        for patience, name in ((self._plateau, "plateau"), (self._stopping, "stopping")):
            loss, waited = stated[name]
            patience.restore((float("inf") if loss is None else loss, waited))
        self.best = best


def written(patience: Patience) -> list[float | None]:
    """Its state for JSON, which knows no infinity."""
    loss, waited = patience.state()
    return [None if loss == float("inf") else loss, waited]
