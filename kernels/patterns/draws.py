"""Random numbers and sums on the host, the same on every machine."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kernels import philox

BLOCK = 2**16  # elements at a time, so that large networks need no large detour
BYTES_MEAN = 2 * 255
BYTES_DEVIATION = math.sqrt(4 * (256**2 - 1) / 12)


def uniform(seed: int, purpose: int, step: int, total: int, first: int = 0) -> list[float]:
    """`total` numbers between 0 and 1, never either; from block `first` of the stream on."""
    words = philox.draw(philox.stream(seed, purpose), step, -(-total // 4), first=first)
    return [(int(word >> 8) + 0.5) * 2.0**-24 for word in words.reshape(-1)[:total].tolist()]


def bell(seed: int, purpose: int, step: int, total: int, first: int) -> NDArray[np.float32]:
    """`total` numbers of mean 0 and deviation 1, from block `first` of the stream on.

    Each is the sum of the four bytes of a word (Irwin and Hall: near normal): whole numbers, so
    that nothing is rounded but the last division.
    """
    words = philox.draw(philox.stream(seed, purpose), step, -(-total // 4), first=first)
    words = words.reshape(-1)[:total]
    sums = sum((words >> np.uint64(shift)) & np.uint64(255) for shift in (0, 8, 16, 24))
    centred = np.asarray(sums, np.float64) - BYTES_MEAN
    return np.asarray(centred / BYTES_DEVIATION, np.float32)


def disturb(x: NDArray[np.float32], size: float, seed: int, purpose: int, step: int) -> None:
    """x (n,) += size * bell, in place, block by block."""
    for begin, part in blocks(x):
        part += np.float32(size) * bell(seed, purpose, step, len(part), first=begin // 4)


def root_mean_square(x: NDArray[np.float32]) -> float:
    """Of x (n,), in double precision: a chain of sums from first to last, as `cumsum` makes it."""
    total = 0.0
    for _, part in blocks(x):
        squares = part.astype(np.float64) ** 2
        squares[0] += total
        total = float(np.cumsum(squares)[-1])
    return math.sqrt(total / len(x))


def blocks(x: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """x (n,) in pieces, each with where it begins."""
    for begin in range(0, len(x), BLOCK):
        yield begin, x[begin : begin + BLOCK]
