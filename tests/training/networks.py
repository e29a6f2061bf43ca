"""Networks as nobody would write them, for the tests that try many."""

import copy
import json

from hypothesis import strategies as st

from tests.conftest import SMALL
from tests.training.test_studio_text import SEED_EXAMPLE
from tests.training.uploads import JSON

LAYERS = st.sampled_from(
    [
        {"type": "dense", "units": 8},
        {"type": "hidden", "params": {"size": 3, "activation": "tanh"}},
        {"type": "dropout", "rate": 0.5},
        {"type": "conv2d", "filters": 2, "kernel_size": 3},
        {"type": "flatten"},
        {"type": "lstm", "units": 4},
        {"type": "attention", "heads": 2},
        {"type": "embedding", "vocab_size": 9, "embed_dim": 4},
        {"type": "output"},
    ]
)
VALUES = st.integers() | st.integers(-1, 70) | st.sampled_from([0.1, 1e300, None, "adam", [], {}])


def places(value: object) -> list[tuple[dict | list, str | int]]:
    """Every place in a configuration where something else may be put."""
    if not isinstance(value, dict | list):
        return []
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@st.composite
def networks(draw, config: dict) -> dict[str, object]:
    """What a program sends to train a network like this one: changed in any place, or not."""
    changed = copy.deepcopy(config)
    kinds = ["feedforward", "autoencoder", "gan", "transformer", "lstm", "cnn"]
    if draw(st.booleans()):
        changed["architecture"]["type"] = draw(st.sampled_from(kinds))
    if draw(st.booleans()):
        layers = draw(st.lists(LAYERS, max_size=4))
        changed["architecture"]["layers"] = copy.deepcopy(layers)
    for _ in range(draw(st.integers(0, 3))):
        inside, key = draw(st.sampled_from(places(changed)))
        inside[key] = draw(VALUES | JSON)
    body: dict[str, object] = {"config": changed}
    if draw(st.integers(0, 3)) == 0:
        body[draw(st.sampled_from(["tier", "seed", "name", "config", "parent_model_id"]))] = draw(
            VALUES | JSON
        )
    return body


# What a browser posts

TEXT = st.text(max_size=12) | st.sampled_from(
    ["-1", "0", "1e999", "nan", "9" * 50, "true", "null", "dense", "gan", "lstm", "[", "1,2", "\0"]
)
ACTIONS = st.sampled_from(
    [
        "",
        "start",
        "start",
        "start",
        "start",
        "check",
        "load",
        "apply",
        "discard",
        "add.layers",
        "add.decoder",
        "up.layers.0",
    ]
    + [
        "down.layers.9",
        "copy.layers.1",
        "remove.layers.0",
        "remove.layers.x",
        "..",
        "add.__class__",
    ]
)


CONFIGS = networks(SMALL).map(lambda body: json.dumps(body["config"]))


def posted(data, fields: dict[str, str]) -> dict[str, str]:
    """A page's form after mallory had it: any texts, in any of its fields and some more."""
    fields = dict(fields)
    more = ["architecture.layers[7].type", "architecture.decoder[0].type", "training.quantile"]
    names = st.sampled_from([*fields, *more])
    for _ in range(data.draw(st.sampled_from([0, 0, 1, 1, 2, 4]))):
        fields[data.draw(names)] = data.draw(TEXT)
    if data.draw(st.booleans()):
        fields["config"] = data.draw(TEXT | st.just(SEED_EXAMPLE) | CONFIGS)
    return fields | {"action": data.draw(ACTIONS)}
