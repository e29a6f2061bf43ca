"""How large a batch should be: as the noise of its gradient says, and as memory allows.

The gradient of B rows is the true one, G, and noise of variance S / B. While B is small against
S / |G|², twice the rows save half of the steps; where it is large they save nothing. So that ratio,
the gradient noise scale, is the batch to take (McCandlish, Kaplan, Amodei and the OpenAI Dota team,
"An empirical model of large-batch training", 2018, section 2.2 and appendix A.1):

    small = mean of |g|² over batches of b rows         = |G|² + S / b
    big   = mean of |g|² over groups of k such batches  = |G|² + S / (k · b)

    |G|² = (k · big - small) / (k - 1)        S = (small - big) · b · k / (k - 1)

`measure_noise` (kernels.ops.gradients) gathers the sums; between epochs the host chooses how many
batches the next steps gather.
"""

import math
from collections.abc import Callable, Sequence

from kernels.limits import OutOfMemory


def noise_scale(sums: Sequence[float], batch_rows: int, gathered: int) -> float:
    """Rows of a batch whose noise is as large as its gradient, of the four sums of `measure_noise`
    and the batches that a step gathered while they were made.

    Infinite where no gradient shows in the noise, zero where no noise shows; `math.nan` where
    nothing was measured.
    """
    small_sum, batches, big_sum, groups = map(float, sums)
    if not batches or not groups:
        return math.nan
    k = max(2, gathered)  # single batches are measured in pairs
    small, big = small_sum / batches, big_sum / groups
    gradient = (k * big - small) / (k - 1)
    noise = (small - big) * batch_rows * k / (k - 1)
    if noise <= 0:
        return 0.0
    return noise / gradient if gradient > 0 else math.inf


def choose(sums: Sequence[float], batch_rows: int, gathered: int, most: int) -> int:
    """How many batches to gather in the steps to come: the power of two, from 1 to `most`, whose
    rows come nearest to the noise scale without passing it.

    One measurement is noisy itself, so that the number at most doubles or halves; where nothing was
    measured it stays.
    """
    scale = noise_scale(sums, batch_rows, gathered)
    if math.isnan(scale):
        return gathered
    wanted = 1
    while 2 * wanted * batch_rows <= scale and wanted < 2 * gathered:
        wanted *= 2
    return min(max(wanted, gathered // 2, 1), power_below(most))


def power_below(most: int) -> int:
    """The largest power of two that is not above `most`."""
    return 1 << most.bit_length() - 1


def largest_batch(memory_bytes: Callable[[int], int], limit_bytes: int, most: int) -> int:
    """The largest number of rows from 1 to `most` whose memory, as `memory_bytes` estimates it,
    stays within a limit.

    Found by halving, so that an estimate is asked for once where all fit, else a dozen times;
    memory must not shrink with more rows. Raises OutOfMemory where a single row is too much.
    """
    if memory_bytes(most) <= limit_bytes:
        return most
    least = memory_bytes(1)
    if least > limit_bytes:
        raise OutOfMemory(
            f"batch_size: one row takes {least:,} bytes, may use {limit_bytes:,}; "
            "take a smaller network or data set"
        )
    fitting, beyond = 1, most
    while beyond - fitting > 1:
        middle = (fitting + beyond) // 2
        if memory_bytes(middle) <= limit_bytes:
            fitting = middle
        else:
            beyond = middle
    return fitting
