"""A search for settings that takes a moment, for the tests that ask for one."""

from tests.conftest import SMALL

RATE = "training.learning_rate"
WIDTH = "architecture.layers.1.params.size"
SPACE = {
    RATE: {"low": 0.0001, "high": 0.1, "log": True},
    WIDTH: {"choices": [8, 16, 32]},
}
SHORT = SMALL | {"training": SMALL["training"] | {"epochs": 3}}
