"""Amounts of credits: how they are written, and which ones can move at all."""

from decimal import Decimal

from billing.models import LARGEST_MICROCREDITS, MICROCREDITS


def credits(amount_microcredits: int) -> str:
    """The exact number of credits: 12500000 is "12.5"."""
    whole, rest = divmod(abs(amount_microcredits), MICROCREDITS)
    text = f"{whole}.{rest:06}".rstrip("0").rstrip(".")
    return f"-{text}" if amount_microcredits < 0 else text


def microcredits(amount_credits: Decimal) -> int:
    """What people typed, without what is smaller than can move."""
    return int(amount_credits * MICROCREDITS)


def require_amount(name: str, amount_microcredits: int) -> None:
    """Raise ValueError for what a caller must never ask: the mistake is in code, not a person's."""
    if not 0 < amount_microcredits <= LARGEST_MICROCREDITS:
        raise ValueError(
            f"{name} is {amount_microcredits}; give 1 to {LARGEST_MICROCREDITS} micro-credits, and"
            " move nothing where nothing is due"
        )
