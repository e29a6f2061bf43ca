"""Networks that are loaded and ready to answer: those used last, within a bound of memory.

Loading takes milliseconds, a call microseconds. However many ask for a network that is not here
yet, it is loaded once, and who asks for another meanwhile does not wait.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import build, generator, modelfile
from kernels.predictor import Port, Predictor, require_finite
from kernels.tensors import ModelRefused
from training.runner import blobs, walls
from training.runner.recipes import Column, Form, Kind, Recipe, RecipeRefused
from training.runner.sharing import Outputs, Shared

READY_MODELS = 32
READY_BYTES = 512 * 2**20


class ReadyModel:
    """A loaded network. Those who ask at the same time share its sandbox."""

    def __init__(self, sha256: str) -> None:
        """`sha256` names the file. Raises BlobFault, ModelRefused or SandboxError."""
        self.predictor = Predictor(
            blobs.get(sha256), module=build.module(), limits=walls.PREDICTION
        )
        self.model = self.predictor.model
        self.recipe = recipe_of(self.model)
        self.memory_bytes = self.predictor.peak_memory_bytes
        self.shared = Shared(self.predictor.computed, self.predictor.capacity)

    @cached_property
    def sampler(self) -> Predictor:
        """What makes examples of noise, in a sandbox of its own. Raises ModelRefused."""
        file = modelfile.dump(generator.generator(self.model))
        return Predictor(file, module=build.module(), limits=walls.PREDICTION)

    @cached_property
    def shared_sampler(self) -> Shared:
        return Shared(self.sampler.computed, self.sampler.capacity)


@dataclass(frozen=True)
class Asked:
    """A network as one call asks it, until a moment of the monotonic clock: after that whatever it
    asks raises TooLate.
    """

    network: ReadyModel
    until_seconds: float

    @property
    def model(self) -> modelfile.Model:
        return self.network.model

    @property
    def recipe(self) -> Recipe | None:
        return self.network.recipe

    @property
    def takes(self) -> Port:
        return self.network.predictor.takes

    @property
    def gives(self) -> tuple[Port, ...]:
        return self.network.predictor.gives

    @property
    def sampler(self) -> modelfile.Model:
        return self.network.sampler.model

    def predict(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        return next(iter(self.outputs(rows).values()))

    def outputs(self, rows: NDArray[Any]) -> Outputs:
        """Raises RowsRefused and SandboxError."""
        return self._answer(self.network.predictor, self.network.shared, rows)

    def sampled(self, noise: NDArray[np.float32]) -> NDArray[np.float32]:
        found = self._answer(self.network.sampler, self.network.shared_sampler, noise)
        return next(iter(found.values()))

    def _answer(self, predictor: Predictor, shared: Shared, rows: NDArray[Any]) -> Outputs:
        given = predictor.checked(rows)
        found = shared.outputs(given, self.until_seconds)
        require_finite(found, len(given))
        return found


def recipe_of(model: modelfile.Model) -> Recipe | None:
    """How a row becomes its numbers. A file without a recipe takes the numbers that it names.

    Raises ModelRefused where the file's recipe is none.
    """
    stated, features = model.signature.recipe, model.signature.features
    if not stated:
        columns = tuple(Column(name, Kind.NUMBER) for name in features)
        return Recipe(Form.TABLE, columns) if columns else None
    try:
        return Recipe.from_json(stated)
    except RecipeRefused as error:
        raise ModelRefused(f"signature.recipe: {error}") from error


class Shelf:
    """At most `models_max` networks and `memory_bytes_max`, but always the newest."""

    def __init__(self, *, models_max: int, memory_bytes_max: int) -> None:
        self.models_max = models_max
        self.memory_bytes_max = memory_bytes_max
        self.networks: OrderedDict[str, ReadyModel] = OrderedDict()  # the last used is last
        self.loading: dict[str, threading.Lock] = {}
        self.lock = threading.Lock()

    def take(self, sha256: str) -> ReadyModel:
        """The network of this file, loaded if it is not. Raises as `ReadyModel` does."""
        with self.lock:
            if sha256 in self.networks:
                self.networks.move_to_end(sha256)
                return self.networks[sha256]
            turn = self.loading.setdefault(sha256, threading.Lock())
        with turn:
            found = self.networks.get(sha256)
            return found or self._load(sha256)

    def drop(self, sha256: str) -> None:
        """Forget a network whose sandbox failed; the next call loads it anew."""
        with self.lock:
            self.networks.pop(sha256, None)

    def _load(self, sha256: str) -> ReadyModel:
        try:
            network = ReadyModel(sha256)
            with self.lock:
                self.networks[sha256] = network
                while len(self.networks) > 1 and self._is_crowded():
                    self.networks.popitem(last=False)
        finally:
            with self.lock:
                self.loading.pop(sha256, None)
        return network

    def _is_crowded(self) -> bool:
        memory_bytes = sum(network.memory_bytes for network in self.networks.values())
        return len(self.networks) > self.models_max or memory_bytes > self.memory_bytes_max


READY = Shelf(models_max=READY_MODELS, memory_bytes_max=READY_BYTES)
