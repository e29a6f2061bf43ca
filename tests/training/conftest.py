"""What tests of training share."""

import pytest

from tests.training.searches import SHORT, SPACE
from training.models import Search, Tier


@pytest.fixture
def in_this_process(settings) -> None:
    """Files are read without a process of their own, which would take two seconds a file; that
    process has tests of its own.
    """
    settings.TRAINING_READER = []


@pytest.fixture
def asked(alice, digits):
    """What alice asks for, unless a test says otherwise."""
    return {
        "owner": alice,
        "dataset": digits,
        "config": SHORT,
        "tier": Tier.NANO,
        "space": SPACE,
        "sampler": Search.Sampler.RANDOM,
        "trials_max": 4,
        "budget_microcredits": 20_000_000,
        "seed": 5,
        "name": "Widths",
    }
