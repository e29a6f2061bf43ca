"""The size of a batch, chosen by the noise of its gradient and by memory."""

import math

import numpy as np
import pytest

from kernels import config
from kernels.batching import choose, largest_batch, noise_scale
from kernels.data import DataShape
from kernels.estimate import estimate, fitted
from kernels.limits import OutOfMemory
from tests.kernels.test_gathering import Run

WIDTH, BATCH_ROWS = 7, 32


def gradients(steps, scale):
    """Of batches whose noise is as large as the gradient at `scale` rows."""
    rng = np.random.default_rng(8)
    true = np.full(WIDTH, 1.0)
    deviation = math.sqrt(scale / BATCH_ROWS)  # |G|² is WIDTH, and so is S / B at B = scale
    return (true + deviation * rng.standard_normal((steps, WIDTH))).astype(np.float32)


@pytest.mark.parametrize("gathered", [1, 2, 8])
def test_the_noise_scale_is_found_in_measured_gradients(gathered, simd):
    run = Run(simd, gradients(16_000, scale=200), gathered)
    run["rate"][...] = 0
    run.sandbox.run("train", 0, 16_000)
    sums = run["sums"].tolist()
    assert sums[1] == 16_000
    assert sums[3] == 15_999 if gathered == 1 else 16_000 / gathered
    assert noise_scale(sums, BATCH_ROWS, gathered) == pytest.approx(200, rel=0.1)


def sums(scale):
    """As `measure_noise` leaves them after batches gathered in pairs."""
    noise = scale / BATCH_ROWS
    return [10 * (1 + noise), 10, 5 * (1 + noise / 2), 5]


@pytest.mark.parametrize(
    ("scale", "gathered", "most", "wanted"),
    [
        (10, 1, 64, 1),
        (63, 1, 64, 1),
        (65, 1, 64, 2),
        (1e6, 1, 64, 2),
        (1e6, 2, 3, 2),
        (1e6, 2, 1, 1),
        (10, 2, 64, 1),
        (130, 2, 64, 4),
    ],
)
def test_a_step_gathers_as_many_batches_as_the_noise_asks_for(scale, gathered, most, wanted):
    assert choose(sums(scale), BATCH_ROWS, gathered, most) == wanted


def test_the_number_of_batches_at_most_doubles_or_halves():
    quiet, loud = [10, 10, 10, 10], [1e9, 10, 1e8, 10]
    assert choose(quiet, BATCH_ROWS, 32, 64) == 16
    assert choose(loud, BATCH_ROWS, 8, 64) == 16
    assert choose([0, 0, 0, 0], BATCH_ROWS, 8, 64) == 8
    assert noise_scale(quiet, BATCH_ROWS, 32) == 0
    assert noise_scale([100, 10, 1, 10], BATCH_ROWS, 2) == math.inf


def test_the_largest_batch_fills_its_memory():
    asked = []

    def memory_bytes(rows):
        asked.append(rows)
        return 1_000 + 64 * rows

    assert largest_batch(memory_bytes, 1_000 + 64 * 777 + 63, 4_096) == 777
    assert len(asked) <= 14
    assert largest_batch(memory_bytes, 10**9, 4_096) == 4_096
    assert largest_batch(memory_bytes, 1_064, 4_096) == 1
    with pytest.raises(OutOfMemory, match="one row takes 1,064 bytes, may use 1,063"):
        largest_batch(memory_bytes, 1_063, 4_096)


@pytest.mark.parametrize("shards", [1, 4])
def test_a_training_takes_the_largest_batch_that_its_memory_allows(shards):
    raw = {
        "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 512}]},
        "training": {"epochs": 1, "batch_size": 2_048, "learning_rate": 0.01, "optimizer": "adam"},
    }
    raw["training"]["shards"] = shards
    asked = config.parse(raw, DataShape.table(8, 2))
    whole = estimate(asked, rows=4_000).memory_bytes
    assert fitted(asked, rows=4_000, memory_bytes=whole) == asked
    smaller = fitted(asked, rows=4_000, memory_bytes=whole - 2**21)
    assert estimate(smaller, rows=4_000).memory_bytes <= whole - 2**21
    assert 1_000 < smaller.training.batch_size < 2_048
    assert smaller.training.batch_size % shards == 0
    with pytest.raises(OutOfMemory, match="batch_size: one row takes"):
        fitted(asked, rows=4_000, memory_bytes=2**17)
