"""Weights from elsewhere: plain safetensors, and the configuration of the network they belong to.

The configuration says which arrays there are, their names and shapes; the file must have just
these. What standardises a row was measured on the training data: where the file does not have it,
rows go in, and values come out, as they are.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import forward, modelfile, tensors
from kernels.config import NetworkConfig
from kernels.graph import Shape
from kernels.modelfile import NOT_TRAINED, Model, Signature
from kernels.objectives import objective_of
from kernels.tensors import ModelRefused

NAMES_SHOWN = 5


def read(blob: bytes, config: NetworkConfig, signature: Signature | None = None) -> Model:
    """The model in use. Raises ModelRefused, which names the array and what it must be."""
    given, _ = tensors.read(blob)
    unit = objective_of(config).answer(1)
    trained = {parameter.name for parameter in config.parameters}
    wanted = {name: node.shape or () for name, node in unit.parameters.items()}
    missing = [name for name in wanted if name not in given and not name.startswith(NOT_TRAINED)]
    if missing:
        raise ModelRefused(f"tensors: missing are {listed(missing)}")
    foreign = sorted(set(given) - set(wanted) - trained)
    if foreign:
        raise ModelRefused(f"tensors: not of this network are {listed(foreign)}")
    model = Model(
        graph=forward.to_json(unit),
        signature=signature or Signature((), ()),
        arrays={name: fitting(name, given.get(name), shape) for name, shape in wanted.items()},
        provenance={"imported_from": "safetensors"},
        config=config,
    )
    modelfile.check(model)
    return model


def fitting(name: str, given: NDArray[Any] | None, shape: Shape) -> NDArray[Any]:
    """An array of the shape that the network wants."""
    if given is None:
        return np.full(shape, float(name.endswith(".scale")), np.float32)
    if given.shape != shape:
        turned = len(shape) == 2 and given.shape == shape[::-1]
        hint = "; it looks like (out, in), ours are (in, out): transpose it" if turned else ""
        raise ModelRefused(f"{name}: must be {shape}, not {given.shape}{hint}")
    return given


def listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return ", ".join(names[:NAMES_SHOWN]) + more
