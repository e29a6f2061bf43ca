"""Philox4x32-10 in NumPy: the reference of `c/philox.h`, and the list of what random numbers are
drawn for.

A number is a function of (seed, purpose, step, position) alone. Salmon, Moraes, Dror and Shaw,
"Parallel random numbers: as easy as 1, 2, 3" (SC 2011).
"""

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from kernels.graph import Number

Words = NDArray[np.uint64]

LOW = np.uint64(0xFFFFFFFF)
SEED_LIMIT = 2**64


class Purpose(IntEnum):
    """Two purposes never share a number. WEIGHTS, DROPOUT, EVALUATION and LATERAL are followed by
    numbers of their own.
    """

    SHUFFLE = 1
    CHAOTIC = 3
    ASSOCIATIVE = 4
    QUANTUM = 5
    EVOLUTIONARY = 6
    SAMPLING = 7
    STARTS = 8
    ACTIONS = 9
    LATENT = 8
    AUGMENTATION = 10
    WEIGHTS = 0x10000
    DROPOUT = 0x20000
    EVALUATION = 0x30000
    LATERAL = 0x40000


def stream(seed: int, purpose: int) -> dict[str, Number]:
    """The attributes by which an instruction names its stream."""
    return {"seed_low": seed & 0xFFFFFFFF, "seed_high": seed >> 32, "purpose": purpose}


def philox(counter: Words, seed_low: int, seed_high: int) -> Words:
    """Four words for each counter: counter (n, 4) and the result (n, 4) hold 32-bit words in 64
    bits.
    """
    c0, c1, c2, c3 = (counter[:, i].copy() for i in range(4))
    for turn in range(10):
        key_low = np.uint64((seed_low + turn * 0x9E3779B9) & 0xFFFFFFFF)
        key_high = np.uint64((seed_high + turn * 0xBB67AE85) & 0xFFFFFFFF)
        first, second = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c1 = (second >> np.uint64(32)) ^ c1 ^ key_low, second & LOW
        c2, c3 = (first >> np.uint64(32)) ^ c3 ^ key_high, first & LOW
    return np.stack([c0, c1, c2, c3], axis=1)


def draw(attributes: Mapping[str, Number], step: int, blocks: int, first: int = 0) -> Words:
    """Of a stream at a step `blocks` blocks of four words, from block `first` on: (blocks, 4)."""
    counter = np.zeros((blocks, 4), np.uint64)
    counter[:, 0] = np.arange(first, first + blocks, dtype=np.uint64)
    counter[:, 1] = step
    counter[:, 2] = int(attributes["purpose"])
    return philox(counter, int(attributes["seed_low"]), int(attributes["seed_high"]))


def words24(attributes: Mapping[str, Number], step: int, total: int) -> Words:
    """`total` whole numbers below 2^24: the upper bits of the stream's words."""
    return draw(attributes, step, -(-total // 4)).reshape(-1)[:total] >> np.uint64(8)
