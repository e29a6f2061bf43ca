"""What a decoder writes: one token after the other, drawn by what the network says of the next.

The temperature T turns probabilities p into p^(1/T) / sum: below 1 the likely becomes likelier, 0
always takes the likeliest. Of these only the `top_k` largest may be drawn (Fan, Lewis and Dauphin,
"Hierarchical neural story generation", 2018).

It repeats to the bit: powers are taken in the module, the numbers that decide are a function of the
seed and the place of the token, and what is left to the host is to sort and to add up in order.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kernels import ops, philox
from kernels.build import Module
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf
from kernels.limits import Limits
from kernels.runtime import Sandbox

# tokens (1, steps) → of every step the probabilities of the token after it, (1, steps, vocabulary)
Predict = Callable[[NDArray[np.uint32]], NDArray[np.float32]]


class SamplingRefused(ValueError):
    """What cannot be written on from; the text names the value and what would do."""


def generate(
    predict: Predict,
    prompt: Sequence[int],
    length: int,
    *,
    steps: int,
    module: Module,
    temperature: float = 1.0,
    top_k: int = 0,
    seed: int = 0,
) -> Iterator[int]:
    """`length` tokens that go on from the prompt, one by one.

    `predict` is a network that foretells the next token and takes `steps` of them, such as
    Predictor.predict; where more have been written it sees the last ones. A `top_k` of 0 leaves all
    in. Raises SamplingRefused.
    """
    check(prompt, length, steps, temperature, top_k, seed)
    draws = philox.stream(seed, philox.Purpose.SAMPLING)
    written = list(prompt)
    sharpen: Sharpener | None = None
    for place in range(length):
        seen = written[-steps:]
        rows = np.zeros((1, steps), np.uint32)  # what stands behind is not seen
        rows[0, : len(seen)] = seen
        chances = predict(rows).reshape(steps, -1)[len(seen) - 1]
        sharpen = sharpen or Sharpener(module, len(chances), temperature)
        word = int(philox.words24(draws, place, 1)[0])
        written.append(pick(sharpen(chances), word, top_k))
        yield written[-1]


def check(
    prompt: Sequence[int], length: int, steps: int, temperature: float, top_k: int, seed: int
) -> None:
    if not prompt or min(prompt) < 0:
        raise SamplingRefused("prompt: must be at least one token, and none below 0")
    if length < 1 or steps < 1:
        raise SamplingRefused(f"length and steps: must be at least 1, not {length} and {steps}")
    if not 0 <= temperature <= 100:
        raise SamplingRefused(f"temperature: must be from 0 to 100, not {temperature}")
    if top_k < 0:
        raise SamplingRefused(f"top_k: must be at least 1, or 0 for all, not {top_k}")
    if not 0 <= seed < philox.SEED_LIMIT:
        raise SamplingRefused(f"seed: must be from 0 to 2^64 - 1, not {seed}")


class Sharpener:
    """Probabilities at a temperature, computed where they are the same bits everywhere."""

    COLDEST = 1e-3  # what is colder leaves nothing but the likeliest

    def __init__(self, module: Module, vocabulary: int, temperature: float) -> None:
        self._is_cold = temperature < self.COLDEST
        self._given, self._found = (leaf(name, (1, vocabulary)) for name in ("given", "found"))
        inverse = {"value": 1 / max(temperature, self.COLDEST)}
        logits = ops.apply("scale", ops.apply("log", self._given), attributes=inverse)
        shares = ops.apply("softmax", logits)
        plan = compile_programs({"sharpen": Program([shares], {shares: self._found})})
        self._sandbox = Sandbox(module, plan, Limits())

    def __call__(self, chances: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._is_cold:
            shares: NDArray[np.float32] = np.zeros(len(chances), np.float32)
            shares[chances.argmax()] = 1
            return shares
        self._sandbox.array(self._given)[...] = chances
        self._sandbox.call("sharpen", 0, 1)
        return np.array(self._sandbox.array(self._found)[0])


def pick(shares: NDArray[np.float32], word: int, top_k: int = 0) -> int:
    """The token whose share of all begins before word / 2^24 of it, the largest first and of equals
    the first.
    """
    order = np.argsort(-shares, kind="stable")[: top_k or None]
    ends = np.cumsum(shares[order], dtype=np.float64)
    place = int(np.searchsorted(ends, ends[-1] * (word * 2.0**-24), side="right"))
    return int(order[min(place, len(order) - 1)])
