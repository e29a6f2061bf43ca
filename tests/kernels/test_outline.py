"""What each layer is and takes: of a whole network, and of one that is still being written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import architecture, config, estimate, outline
from kernels.data import DataShape, Target
from kernels.layers import VOCABULARY
from kernels.network import parameter_count

TRAINING = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"}
PICTURES = DataShape((8, 8, 1), Target.CLASSES, 10)
TOKENS = DataShape((12,), Target.NEXT, 30, vocabulary=30)
SERIES = DataShape((24, 1), Target.VALUES, 3)
TABLE = DataShape.table(64, 10)
NETWORKS = {
    "table": (
        TABLE,
        {"type": "feedforward", "layers": [
            {"type": "input", "params": {"size": 64}},
            {"type": "hidden", "params": {"size": 32}},
            {"type": "dropout", "params": {"rate": 0.2}},
            {"type": "output", "params": {"size": 10}},
        ]},
    ),
    "pictures": (
        PICTURES,
        {"type": "feedforward", "layers": [
            {"type": "conv2d", "params": {"filters": 8, "kernel_size": 3}},
            {"type": "maxpool2d", "params": {"pool_size": 2}},
            {"type": "flatten"},
            {"type": "output", "params": {"size": 10}},
        ]},
    ),
    "tokens": (
        TOKENS,
        {"type": "transformer", "layers": [
            {"type": "embedding", "params": {"vocab_size": 30, "embed_dim": 16}},
            {"type": "transformer_block", "params": {"heads": 2, "ff_dim": 32, "dropout": 0.1}},
            {"type": "output", "params": {"size": 30}},
        ]},
    ),
    "series": (
        SERIES,
        {"type": "lstm", "layers": [
            {"type": "lstm", "params": {"units": 8, "bidirectional": True}},
            {"type": "output", "params": {"size": 3}},
        ]},
    ),
    "autoencoder": (
        TABLE,
        {"type": "autoencoder", "variational": True, "layers": [
            {"type": "dense", "params": {"units": 32}},
            {"type": "dense", "params": {"units": 4, "activation": "linear"}},
            {"type": "dense", "params": {"units": 32}},
            {"type": "output", "params": {"size": 64}},
        ]},
    ),
    "gan": (
        PICTURES,
        {"type": "gan", "latent": 6, "layers": [
            {"type": "dense", "params": {"units": 32}},
            {"type": "output", "params": {"size": 64}},
        ], "discriminator": [
            {"type": "flatten"},
            {"type": "dense", "params": {"units": 16, "activation": "leaky_relu"}},
            {"type": "output", "params": {"size": 1}},
        ]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_the_layers_of_a_network_have_all_its_parameters(name):
    shape, written = NETWORKS[name]
    network = config.parse({"architecture": written, "training": TRAINING}, shape)
    layers = outline.layers(network)
    assert sum(layer.parameters for layer in layers) == parameter_count(network.parameters)
    assert [layer.shape for layer in layers] == [
        shape for network in network.architecture.networks.values() for shape in network.shapes[1:]
    ]
    assert all(layer.flops > 0 for layer in layers if layer.parameters)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_words_of_a_network_whose_ends_are_written_are_the_whole_of_it(name):
    shape, written = NETWORKS[name]
    network = config.parse({"architecture": written, "training": TRAINING}, shape)
    words = outline.written(written, shape, rows=8)
    assert len(words) == len(written["layers"]) + len(written.get("discriminator", ()))
    layers = outline.layers(network)
    for figure in ("parameters", "flops", "bytes"):
        whole = sum(getattr(layer, figure) for layer in layers)
        assert sum(getattr(word, figure) for word in words.values()) == whole


def test_a_dense_layer_counts_as_it_does_on_paper():
    shape, written = NETWORKS["table"]
    hidden = outline.written(written, shape, rows=8)["architecture.layers[1]"]
    assert (hidden.shape, hidden.parameters) == ((32,), 64 * 32 + 32)
    forward_and_weights = 2 * (2 * 64 * 32)  # two products, since the data need no gradient
    assert forward_and_weights <= hidden.flops <= 1.1 * forward_and_weights
    assert hidden.bytes == 4 * hidden.parameters * 4 + 8 * 4 * 32


def test_what_layers_add_up_to_is_what_the_tape_of_a_step_does():
    shape, written = NETWORKS["pictures"]
    network = config.parse({"architecture": written, "training": TRAINING}, shape)
    layers = sum(layer.flops for layer in outline.layers(network)) * 8
    step = estimate.estimate(network, rows=800).flops_per_step
    assert 0.7 * step < layers < 1.1 * step


def test_layers_before_the_first_mistake_have_their_shapes():
    _, written = NETWORKS["pictures"]
    layers = [*written["layers"]]
    layers[2] = {"type": "flaten"}
    words = outline.written({"type": "feedforward", "layers": layers}, PICTURES)
    assert [word.shape for word in words.values()] == [(6, 6, 8), (3, 3, 8)]
    layers[1] = {"type": "maxpool2d", "params": {"pool_size": 9}}
    words = outline.written({"type": "feedforward", "layers": layers}, PICTURES)
    assert list(words) == ["architecture.layers[0]"]


@pytest.mark.parametrize(
    "raw",
    [None, [], "dense", {}, {"type": 3, "layers": 4}, {"type": [], "layers": [[]]},
     {"type": "gan", "latent": -1, "layers": [{"type": "dense", "params": {"units": 3}}]},
     {"type": "autoencoder", "layers": [{"type": "flatten"}], "decoder": 7}],
)  # fmt: skip
def test_nonsense_has_no_layers_and_no_crash(raw):
    assert len(outline.written(raw, TABLE)) <= 1


WORDS = {"input": architecture.INPUT} | VOCABULARY
VALUES = st.sampled_from([None, -1, 0, 1, 2, 7, 64, 0.2, True, "relu", "softmax", "same", [2, 3]])
LAYERS = st.lists(
    st.sampled_from([*WORDS, "dens"]).flatmap(
        lambda word: st.fixed_dictionaries(
            {"type": st.just(word)},
            optional=dict.fromkeys(WORDS[word].fields if word in WORDS else (), VALUES),
        )
    ),
    max_size=6,
)


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(architecture.ARCHITECTURES),
    layers=LAYERS,
    second=LAYERS,
    options=st.fixed_dictionaries({}, optional={"variational": VALUES, "latent": VALUES}),
    shape=st.sampled_from([TABLE, PICTURES, TOKENS, SERIES]),
)
def test_whatever_is_written_has_as_many_layers_as_make_sense(kind, layers, second, options, shape):
    raw = {"type": kind, "layers": layers, **options}
    raw |= {architecture.SECOND[kind]: second} if kind in architecture.SECOND else {}
    words = outline.written(raw, shape)
    assert len(words) <= len(layers) + len(second)
    for word in words.values():
        assert min(word.shape) > 0
        assert word.flops >= 0
        assert word.bytes >= 0
