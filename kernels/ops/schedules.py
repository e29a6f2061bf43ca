"""The learning rate of a step, as a function of the step's number and of a factor that the host
sets between epochs.
"""

import math

from kernels.graph import Node
from kernels.ops.table import Array, Op
from kernels.signature import Signature


def schedule(node: Node, step: int, rate: Array, factor: Array) -> None:
    of = rate.dtype.type
    warmup, every, cosine = (
        int(node.attributes[name]) for name in ("warmup_steps", "every_steps", "cosine_steps")
    )
    found = float(of(node.attributes["base"])) * float(factor[0])
    if step < warmup:
        found *= (step + 1) / warmup
    if every:
        found *= float(of(node.attributes["decay"])) ** (step // every)
    if warmup <= step and warmup < cosine:
        found *= (1 + math.cos(math.pi * min(1, (step - warmup) / (cosine - warmup)))) / 2
    rate[0] = found


ROWS: dict[str, Op] = {
    "schedule": Op(
        Signature("(1),(1)->"),
        schedule,
        attributes={
            "base": float,
            "decay": float,
            "warmup_steps": int,
            "every_steps": int,
            "cosine_steps": int,
        },
        flops=100,
        counts_steps=True,
    ),
}
