"""What makes examples of noise: of adversaries the generator, of a variational autoencoder the
decoder. The noise is drawn from a standard normal distribution.

The same seed draws the same noise, in the module, so that samples repeat to the bit everywhere.
"""

import dataclasses

import numpy as np
from numpy.typing import NDArray

from kernels import forward, ops, philox
from kernels.build import Module
from kernels.compiler import Program, compile_programs
from kernels.forward import Forward
from kernels.graph import leaf, reshape
from kernels.limits import Limits
from kernels.modelfile import Model, Signature
from kernels.objectives import objective_of
from kernels.objectives.objective import SCALING, leaves, unstandardised
from kernels.runtime import Sandbox
from kernels.tensors import ModelRefused

LATENT = "latent"


def generator(model: Model) -> Model:
    """The part of a model that makes examples of noise: its one input is `latent` (rows, latent).

    Raises ModelRefused where the model is not generative.
    """
    config = model.config
    kind = None if config is None else config.architecture.kind
    if kind == "gan":
        return model
    if config is None or kind != "autoencoder" or not config.architecture.options["variational"]:
        raise ModelRefused("config: only a gan or a variational autoencoder makes examples")
    decoder = config.architecture.networks["decoder"]
    noise = leaf(LATENT, (1, *decoder.input))
    trained = {
        name: node
        for name, node in leaves(objective_of(config).parameters).items()
        if name.startswith(decoder.name)
    }
    columns = {f"input.{name}": leaf(f"input.{name}", (config.data.columns,)) for name in SCALING}
    made = unstandardised(decoder.build(noise, trained), *columns.values())
    parameters = trained | columns
    unit = Forward({LATENT: noise}, parameters, {"examples": made})
    return dataclasses.replace(
        model,
        graph=forward.to_json(unit),
        signature=Signature((), ()),
        arrays={name: model.arrays[name] for name in parameters},
        config=None,
    )


def latent_size(model: Model) -> int:
    """How many numbers of noise one example of a `generator` takes."""
    return next(iter(model.forward(1).inputs.values())).elements


def draw_latent(rows: int, size: int, *, seed: int, module: Module) -> NDArray[np.float32]:
    """Noise (rows, size) from a standard normal distribution, the same for the same seed."""
    stated = {"deviation": 1.0} | philox.stream(seed, philox.Purpose.LATENT)
    drawn = ops.apply("normal", sizes={"count": rows * size}, attributes=stated)
    found = leaf("drawn", (rows, size))
    plan = compile_programs({"draw": Program([drawn], {reshape(drawn, (rows, size)): found})})
    sandbox = Sandbox(module, plan, Limits())
    sandbox.call("draw", 0, 1)
    return np.array(sandbox.array(found))
