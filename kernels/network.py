"""From a configuration to a graph: the parameters of a network, how they start, and its forward
pass.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from kernels import ops
from kernels.config import NetworkConfig
from kernels.graph import Node, Shape, count
from kernels.layers import Dense
from kernels.philox import Purpose, stream

RECTIFIERS = ("relu", "leaky_relu", "elu", "gelu", "silu")


@dataclass(frozen=True)
class Parameter:
    """A trained array. It starts uniform between -bound and bound, or as zeros."""

    name: str
    shape: Shape
    bound: float


def parameters(config: NetworkConfig) -> tuple[Parameter, ...]:
    """The trained arrays, in the order in which they lie in memory.

    Weights start after He et al. (2015) before a rectifier, bound sqrt(6 / fan_in), and after
    Glorot and Bengio (2010) elsewhere, bound sqrt(6 / (fan_in + fan_out)); biases start at zero.
    """
    found: list[Parameter] = []
    width = config.features
    for number, layer in enumerate(layer for layer in config.layers if isinstance(layer, Dense)):
        fan = width if layer.activation in RECTIFIERS else width + layer.units
        weight = Parameter(f"dense{number}.weight", (width, layer.units), math.sqrt(6 / fan))
        found += [weight, Parameter(f"dense{number}.bias", (layer.units,), 0.0)]
        width = layer.units
    return tuple(found)


def parameter_count(config: NetworkConfig) -> int:
    return sum(count(parameter.shape) for parameter in parameters(config))


def forward(
    config: NetworkConfig, x: Node, weights: Mapping[str, Node], dropout_seed: int | None = None
) -> Node:
    """Logits (rows, classes) of standardised rows (rows, features). Without a seed nothing is
    dropped.
    """
    dense = 0
    for number, layer in enumerate(config.layers):
        if isinstance(layer, Dense):
            x = ops.apply("matmul_nn", x, weights[f"dense{dense}.weight"])
            x = ops.apply("bias", x, weights[f"dense{dense}.bias"])
            if layer.activation not in ("linear", "softmax"):
                x = ops.apply(layer.activation, x)
            dense += 1
        elif dropout_seed is not None and layer.rate > 0:
            draws = stream(dropout_seed, Purpose.DROPOUT + number)
            drops = {
                "drop_below": round(layer.rate * 2**24),
                "scale": 1 / (1 - layer.rate),
                **draws,
            }
            x = ops.apply("dropout", x, attributes=drops)
    return x
