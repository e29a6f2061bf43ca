"""The five tiers: what a job may use, and what that costs.

The price runs from the tier's lowest to its highest with the share of the tier's compute that the
job's tape will use: floating-point operations of one step, counted from the tape, times steps. A
tier's compute is its seconds at `NOMINAL_FLOPS`, a cautious speed of one thread in the sandbox.
"""

from dataclasses import dataclass

from billing.models import MICROCREDITS
from training.models import Tier

NOMINAL_FLOPS = 4_000_000_000  # a second


@dataclass(frozen=True, kw_only=True)
class TierLimits:
    parameters: int
    memory_bytes: int
    threads: int
    compute_seconds: int
    lowest_credits: int
    highest_credits: int | None  # None: the price goes on rising at the same rate

    @property
    def flops(self) -> int:
        return self.compute_seconds * NOMINAL_FLOPS


MIB = 1024 * 1024

TIERS = {
    Tier.NANO: TierLimits(
        parameters=50_000,
        memory_bytes=128 * MIB,
        threads=1,
        compute_seconds=60,
        lowest_credits=1,
        highest_credits=5,
    ),
    Tier.MINI: TierLimits(
        parameters=500_000,
        memory_bytes=512 * MIB,
        threads=1,
        compute_seconds=300,
        lowest_credits=5,
        highest_credits=15,
    ),
    Tier.SMALL: TierLimits(
        parameters=5_000_000,
        memory_bytes=1024 * MIB,
        threads=2,
        compute_seconds=900,
        lowest_credits=15,
        highest_credits=50,
    ),
    Tier.MEDIUM: TierLimits(
        parameters=20_000_000,
        memory_bytes=2048 * MIB,
        threads=4,
        compute_seconds=3600,
        lowest_credits=50,
        highest_credits=150,
    ),
    Tier.LARGE: TierLimits(
        parameters=100_000_000,
        memory_bytes=3584 * MIB,
        threads=8,
        compute_seconds=21_600,
        lowest_credits=150,
        highest_credits=None,
    ),
}


def price_microcredits(tier: Tier, *, flops: int) -> int:
    """The quote for this much arithmetic, rounded up to a whole micro-credit."""
    limits = TIERS[tier]
    highest = limits.highest_credits or 10 * limits.lowest_credits
    range_microcredits = (highest - limits.lowest_credits) * MICROCREDITS
    return limits.lowest_credits * MICROCREDITS - (-range_microcredits * flops // limits.flops)


def too_long(tier: Tier) -> str:
    """What ended a job that computed for longer than its tier allows, and the way out."""
    return (
        f"The tier {tier.label} allows {TIERS[tier].compute_seconds:,} s of compute, and the job "
        "was not done by then. Train it anew with a larger tier, or with fewer epochs."
    )


def smallest_tier(*, parameters: int, memory_bytes: int, flops: int) -> Tier | None:
    """The cheapest tier that this job fits, or None."""
    for tier, limits in TIERS.items():
        if (
            parameters <= limits.parameters
            and memory_bytes <= limits.memory_bytes
            and flops <= limits.flops
        ):
            return tier
    return None
