"""Worlds that a network acts in. They have no rows: what is learned from is played."""

import numpy as np

from training.runner.bundles.bundle import Bundle, asked, numbers
from training.runner.recipes import Form, Recipe

OBSERVED = ("cart position", "cart velocity", "pole angle", "pole velocity at tip")
ACTIONS = ("push left", "push right")


def cartpole() -> Bundle:
    """A pole on a cart, to be held upright by pushing the cart left or right (CartPole-v1)."""
    return Bundle(
        features=np.zeros((0, len(OBSERVED)), np.float32),
        targets=np.zeros(0, np.uint32),
        recipe=Recipe(
            Form.ENVIRONMENT,
            (*numbers(OBSERVED), asked("push", ACTIONS)),
            sides=(len(OBSERVED),),
            environment="CartPole-v1",
        ),
        split={},
        parts=np.zeros(0, np.int8),
    )
