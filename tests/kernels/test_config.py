"""What people write as a configuration, and the answer to each mistake."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels.config import ConfigError, judge, parse
from kernels.data import DataShape
from kernels.layers import VOCABULARY
from kernels.layers.dense import Dense, Dropout

GOOD = {
    "architecture": {
        "type": "feedforward",
        "layers": [
            {"type": "input", "size": 64},
            {"type": "dense", "params": {"units": 128, "activation": "relu"}},
            {"type": "dropout", "rate": 0.2},
            {"type": "output", "size": 10, "activation": "softmax"},
        ],
    },
    "training": {"epochs": 20, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
    "divergent": {"enabled": True, "pattern": "lateral", "factor": 0.3},
}
# as the product's own documentation writes it
TRANSFORMER = {
    "architecture": {
        "type": "transformer",
        "layers": [
            {"type": "embedding", "params": {"vocab_size": 10000, "embed_dim": 256}},
            {"type": "attention", "params": {"heads": 8, "dropout": 0.1}},
            {"type": "feedforward", "params": {"hidden_dim": 1024, "dropout": 0.1}},
        ],
    },
    "training": {"epochs": 10, "batch_size": 32, "learning_rate": 0.001, "optimizer": "adam"},
    "divergent": {"enabled": True, "pattern": "lateral", "factor": 0.3},
}
KNOWN = f"known: {', '.join(['input', *VOCABULARY])}"
DIGITS = DataShape.table(64, 10)
REMOVED = object()


def changed(raw, path, value):
    """A copy with one value set, added or removed."""
    copied = copy.deepcopy(raw)
    *way, last = path
    place = copied
    for key in way:
        place = place[key]
    if value is REMOVED:
        del place[last]
    else:
        place[last] = value
    return copied


def problems(raw, data=DIGITS):
    with pytest.raises(ConfigError) as caught:
        parse(raw, data)
    return [str(problem) for problem in caught.value.problems]


def layers_of(config):
    return config.architecture.networks["network"].layers


def layers(*written):
    return changed(GOOD, ("architecture", "layers"), list(written))


def test_a_good_configuration_is_read():
    config = parse(GOOD, DIGITS)
    assert layers_of(config) == (Dense(128, "relu"), Dropout(0.2), Dense(10, "softmax"))
    assert (config.training.epochs, config.training.batch_size) == (20, 32)
    assert config.divergent is not None
    assert config.divergent.factor == 0.3


def test_what_is_written_back_reads_as_the_same():
    for raw in (GOOD, changed(GOOD, ("divergent",), {"enabled": False})):
        config = parse(raw, DIGITS)
        again = parse(json.loads(json.dumps(config.to_json())), DIGITS)
        assert again == config
        assert again.digest() == config.digest()


def test_both_ways_to_write_a_layer_and_all_names_mean_the_same():
    flat = layers({"type": "dense", "units": 7, "activation": "tanh"})
    params = layers({"type": "hidden", "params": {"size": 7, "activation": "tanh"}})
    headed = layers(
        {"type": "hidden", "size": 7, "activation": "tanh"},
        {"type": "dense", "units": 10, "activation": "softmax"},
    )
    digests = {parse(raw, DIGITS).digest() for raw in (flat, params, headed)}
    assert len(digests) == 1


def test_a_feedforward_layer_is_dense_relu_and_dropout():
    config = parse(layers({"type": "feedforward", "hidden_dim": 9, "dropout": 0.1}), DIGITS)
    assert layers_of(config) == (Dense(9, "relu"), Dropout(0.1), Dense(10, "softmax"))


def test_an_output_is_added_for_the_classes_of_the_data():
    config = parse(layers({"type": "dense", "units": 5}), DataShape.table(3, 2))
    assert layers_of(config) == (Dense(5, "relu"), Dense(2, "softmax"))


def test_divergent_may_be_left_out_or_switched_off():
    off = changed(GOOD, ("divergent", "enabled"), False)
    for raw in (off, changed(GOOD, ("divergent",), REMOVED)):
        assert parse(raw, DIGITS).divergent is None


TABLE = [
    # ---- the whole
    ((), 3, "config: must be an object, not 3"),
    (("architecture",), REMOVED, "architecture: is required"),
    (("training",), [], "training: must be an object, not a list"),
    (("extra",), 1, "extra: is not known here (known: architecture, training, divergent)"),
    (("trainig",), {}, "trainig: is not known here; did you mean 'training'? (known: "
     "architecture, training, divergent)"),
    # ---- architecture
    (("architecture", "type"), "feedforwrd",
     "architecture.type: 'feedforwrd' is not known; did you mean 'feedforward'? "
     "(known: feedforward, lstm, gan, autoencoder, transformer)"),
    (("architecture", "type"), 5, "architecture.type: 5 is not known (known: feedforward, lstm, "
     "gan, autoencoder, transformer)"),
    (("architecture", "layers"), [], "architecture.layers: must be a list of 1 to 64 layers"),
    (("architecture", "layers"), {}, "architecture.layers: must be a list of 1 to 64 layers"),
    (("architecture", "layers"), [{"type": "dropout", "rate": 0.1}] * 65,
     "architecture.layers: must be a list of 1 to 64 layers"),
    (("architecture", "depth"), 3, "architecture.depth: is not known here (known: type, layers)"),
    # ---- layers
    (("architecture", "layers", 1), "dense",
     "architecture.layers[1]: must be an object with a type, not 'dense'"),
    (("architecture", "layers", 1), {"units": 3},
     f"architecture.layers[1].type: is required ({KNOWN})"),
    (("architecture", "layers", 1, "type"), "dens",
     f"architecture.layers[1].type: 'dens' is not known; did you mean 'dense'? ({KNOWN})"),
    (("architecture", "layers", 1, "units"), 4,
     "architecture.layers[1].units: must stand in params, with the other values"),
    (("architecture", "layers", 1, "params", "units"), REMOVED,
     "architecture.layers[1].params.units: is required"),
    (("architecture", "layers", 1, "params", "units"), 0,
     "architecture.layers[1].params.units: must be from 1 to 65,536, not 0"),
    (("architecture", "layers", 1, "params", "units"), 1e999,
     "architecture.layers[1].params.units: must be a whole number, not inf"),
    (("architecture", "layers", 1, "params", "units"), True,
     "architecture.layers[1].params.units: must be a whole number, not true"),
    (("architecture", "layers", 1, "params", "units"), "128",
     "architecture.layers[1].params.units: must be a whole number, not '128'"),
    (("architecture", "layers", 1, "params", "units"), 10**5000,
     "architecture.layers[1].params.units: must be from 1 to 65,536, not a number of 5,001 digits"),
    (("architecture", "layers", 1, "params", "activation"), "relo",
     "architecture.layers[1].params.activation: 'relo' is not known; did you mean 'relu'? (known: "
     "relu, leaky_relu, elu, gelu, silu, sigmoid, tanh, linear, softmax)"),
    (("architecture", "layers", 1, "params", "activation"), "softmax",
     "architecture.layers[1].params.activation: 'softmax' belongs to the last layer alone"),
    (("architecture", "layers", 1, "params", "bias"), True,
     "architecture.layers[1].params.bias: is not known here (known: units, activation)"),
    (("architecture", "layers", 1, "params"), None,
     "architecture.layers[1].params: must be an object, not null"),
    (("architecture", "layers", 2, "rate"), 1,
     "architecture.layers[2].rate: must be from 0 to 0.95, not 1"),
    (("architecture", "layers", 2, "rate"), -0.1,
     "architecture.layers[2].rate: must be from 0 to 0.95, not -0.1"),
    (("architecture", "layers", 2, "rate"), float("nan"),
     "architecture.layers[2].rate: must be a finite number, not nan"),
    # ---- the ends are as wide as the data
    (("architecture", "layers", 0, "size"), 63,
     "architecture.layers[0].size: must be 64, the features of the data, not 63"),
    (("architecture", "layers", 3, "size"), 11,
     "architecture.layers[3].size: must be 10, the classes of the data, not 11"),
    (("architecture", "layers", 3, "activation"), "relu",
     "architecture.layers[3].activation: must be 'softmax' for classes, not 'relu'; or leave it "
     "out"),
    (("architecture", "layers", 2), {"type": "input", "size": 64},
     "architecture.layers[2].type: 'input' must be the first layer"),
    (("architecture", "layers", 1), {"type": "output", "params": {"size": 10}},
     "architecture.layers[1].type: 'output' must be the last layer"),
    # ---- training
    (("training", "epochs"), 0, "training.epochs: must be from 1 to 10,000, not 0"),
    (("training", "epochs"), 2.5, "training.epochs: must be a whole number, not 2.5"),
    (("training", "epochs"), REMOVED, "training.epochs: is required"),
    (("training", "batch_size"), 5000, "training.batch_size: must be from 1 to 4,096, not 5000"),
    (("training", "learning_rate"), 0, "training.learning_rate: must be from 1e-08 to 10, not 0"),
    (("training", "learning_rate"), "fast", "training.learning_rate: must be a number, not 'fast'"),
    (("training", "learning_rate"), float("inf"),
     "training.learning_rate: must be a finite number, not inf"),
    (("training", "optimizer"), "adamx",
     "training.optimizer: 'adamx' is not known; did you mean 'adam'? (known: adam, adamw, sgd, "
     "rmsprop, adagrad)"),
    (("training", "momentum"), 0.9, "training.momentum: belongs to 'sgd', not to 'adam'"),
    (("training", "seed"), 3, "training.seed: is not known here (known: epochs, batch_size, "
     "learning_rate, optimizer, loss, momentum, nesterov, weight_decay, l1, l2, clip_norm, "
     "clip_value, label_smoothing, class_weights, delta, quantile, patience, dynamic_batch, "
     "shards, schedule, augmentation)"),
    # ---- divergent
    (("divergent", "enabled"), "yes", "divergent.enabled: must be true or false, not 'yes'"),
    (("divergent", "enabled"), REMOVED, "divergent.enabled: is required"),
    (("divergent", "pattern"), "latral", "divergent.pattern: 'latral' is not known; did you mean "
     "'lateral'? (known: lateral, quantum, chaotic, associative, evolutionary)"),
    (("divergent", "factor"), 1.5, "divergent.factor: must be from 0 to 1, not 1.5"),
    (("divergent", "factor"), 1e-39, "divergent.factor: must be 0 or at least 1e-06, not 1e-39"),
    (("divergent", "factor"), REMOVED, "divergent.factor: is required when enabled is true"),
    (("divergent",), None, "divergent: must be an object, not null"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "expected"), TABLE, ids=[row[2][:60] for row in TABLE])
def test_each_mistake_is_named_by_its_path(path, value, expected):
    assert problems(changed(GOOD, path, value) if path else value) == [expected]


def test_all_mistakes_are_found_at_once():
    raw = changed(GOOD, ("training", "epochs"), -1)
    raw = changed(raw, ("architecture", "layers", 1, "params", "units"), None)
    raw = changed(raw, ("divergent", "pattern"), "chaotc")
    assert [problem.split(":")[0] for problem in problems(raw)] == [
        "architecture.layers[1].params.units",
        "training.epochs",
        "divergent.pattern",
    ]


def test_a_network_too_large_for_anything_here_is_refused():
    wide = {"type": "dense", "units": 65_536}
    found = problems(layers(wide, wide, wide))
    assert found == [
        "architecture.layers: 8,594,980,874 parameters are more than the 100,000,000 that can be "
        "trained"
    ]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["dense", "type", "params", "units", "input", "softmax"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [*GOOD, *GOOD["training"], "type", "layers", "params", "units", "size"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(max_examples=300, deadline=None)
@given(raw=JSON, path=st.sampled_from([path for path, _, _ in TABLE]))
def test_whatever_mallory_sends_is_read_or_refused_by_path(raw, path):
    written = changed(GOOD, path, raw) if path else raw
    try:
        config = parse(written, DIGITS)
    except ConfigError as error:
        assert all(problem.path and problem.reason for problem in error.problems)
        assert len(str(error)) < 20_000
    else:
        assert layers_of(config)[-1] == Dense(10, "softmax")
        judge(written)  # what is right for some data is never refused before they are known


def test_alice_is_told_without_data_what_is_wrong_for_any():
    raw = changed(GOOD, ("training", "optimizer"), REMOVED)
    raw = changed(raw, ("architecture", "layers", 3, "size"), 11)  # of other data, perhaps right
    with pytest.raises(ConfigError) as caught:
        judge(raw)
    assert [str(problem) for problem in caught.value.problems] == [
        "training.optimizer: is required"
    ]


def test_what_is_wrong_without_end_is_told_to_an_end():
    keys = {f"key {number}": number for number in range(200_000)}
    with pytest.raises(ConfigError) as found:
        parse(keys, DataShape.table(4, 3))
    assert len(found.value.problems) < 60
    assert any(problem.reason.startswith("has more keys") for problem in found.value.problems)


def test_a_key_that_no_answer_can_carry_is_spelled():
    with pytest.raises(ConfigError) as found:
        parse({"\ud800\n": 1}, DataShape.table(4, 3))
    assert found.value.problems[0].path == r"\ud800\n"
