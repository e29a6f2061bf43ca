"""Optimisers by the names people know: what each remembers, and the instruction that moves the
parameters.
"""

from collections.abc import Mapping, Sequence

from kernels import ops
from kernels.graph import Node, Number

# what an optimiser remembers, as large as the parameters each
MOMENTS: Mapping[str, tuple[str, ...]] = {
    "sgd": ("velocity",),
    "adam": ("first_moment", "second_moment"),
    "adamw": ("first_moment", "second_moment"),
    "rmsprop": ("squares", "velocity"),
    "adagrad": ("squares",),
}
COUNTING = ("adam", "adamw")
# the values of the papers, which are PyTorch's too
BETAS: Mapping[str, Number] = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}


def move(
    optimizer: str,
    parameters: Node,
    slopes: Node,
    moments: Sequence[Node],
    rate: Node,
    steps: Node,
    *,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> Node:
    """One step of parameters (n) against their gradient (n), at the learning rate in `rate` (1).

    `moments` are those of MOMENTS (n); `steps` (1) is where optimisers that correct for their first
    steps count them, one leaf for each `parameters` that move apart. All start as zeros.
    """
    sources = [parameters, slopes, *moments, rate]
    if optimizer in COUNTING:
        sources.append(steps)
    choices: dict[str, Mapping[str, Number]] = {
        "sgd": {"momentum": momentum, "nesterov": int(nesterov)},
        "adam": BETAS,
        "adamw": {**BETAS, "decay": weight_decay},
        "rmsprop": {"keep": 0.99, "momentum": momentum, "epsilon": 1e-8},
        "adagrad": {"epsilon": 1e-10},
    }
    return ops.apply(optimizer, *sources, attributes=choices[optimizer])
