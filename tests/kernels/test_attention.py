"""Layers of transformers: what a step may see, where they may stand, and what is said elsewhere."""

import numpy as np
import pytest

from kernels import blocks, ops
from kernels.compiler import Program, compile_programs
from kernels.config import parse
from kernels.data import DataShape, Target
from kernels.graph import leaf
from kernels.layers.attention import Attention, Feedforward
from kernels.layers.dense import Dense
from kernels.layers.layer import Misfit
from kernels.layers.sequences import Embedding, PositionalEncoding
from kernels.layers.vision import GlobalAveragePooling
from kernels.limits import Limits
from kernels.runtime import Sandbox
from tests.kernels.adam import first_weights
from tests.kernels.test_transformers import (
    NETWORKS,
    ROWS,
    STEPS,
    VOCABULARY,
    examples,
    settings,
    tokens_of,
)


def answers(module, network, weights, tokens):
    x = leaf("x", tokens.shape, "u4")
    held = blocks.block("weights", network.parameters())
    logits = network.build(x, held.parts)
    out = leaf("out", logits.shape)
    plan = compile_programs({"main": Program([logits], {logits: out})})
    sandbox = Sandbox(module, plan, Limits(memory_bytes=2**26))
    for key, values in weights.items():
        sandbox.array(held.parts[key])[...] = values
    sandbox.array(x)[...] = tokens
    sandbox.run("main", 0, 1)
    return sandbox.array(out).copy()


def test_a_step_of_a_decoder_does_not_see_what_comes_after_it(module):
    tokens, _ = examples("decoder")
    weights = first_weights(NETWORKS["decoder"])
    before = answers(module, NETWORKS["decoder"], weights, tokens)
    for step in range(STEPS - 1):
        changed = tokens.copy()
        changed[:, step + 1 :] = (changed[:, step + 1 :] + 3) % VOCABULARY
        after = answers(module, NETWORKS["decoder"], weights, changed)
        np.testing.assert_array_equal(after[:, : step + 1], before[:, : step + 1])
        assert (after[:, step + 1] != before[:, step + 1]).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_does_not_see_the_other_rows(name, module):
    tokens, _ = examples(name)
    weights = first_weights(NETWORKS[name])
    together = answers(module, NETWORKS[name], weights, tokens)
    for row in range(ROWS):
        alone = answers(module, NETWORKS[name], weights, tokens[row : row + 1])
        np.testing.assert_array_equal(alone[0], together[row])


@pytest.mark.parametrize("causal", [0, 1])
def test_the_size_of_the_blocks_of_queries_does_not_show(causal, module, compute):
    """Of 70 steps, in blocks of 32, the first 33 are the same bits as those of 33 steps, where what
    comes later is not seen; else the weights of each row add up to one.
    """
    rng = np.random.default_rng(8)
    values = rng.standard_normal((2, 70, 24)).astype(np.float32)
    attributes = {"causal": causal}
    x, short = leaf("x", (2, 70, 24)), leaf("short", (2, 33, 24))
    if causal:
        whole = compute(
            module, ops.apply("attention", x, sizes={"h": 2}, attributes=attributes), {x: values}
        )
        part = ops.apply("attention", short, sizes={"h": 2}, attributes=attributes)
        np.testing.assert_array_equal(
            compute(module, part, {short: values[:, :33].copy()}), whole[:, :33]
        )
    weights = ops.apply("attention_weights", x, sizes={"h": 2}, attributes=attributes)
    found = compute(module, weights, {x: values})
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=0, atol=1e-6)
    assert not causal or (np.triu(found, 1) == 0).all()


def test_large_scores_lose_nothing_and_far_ones_weigh_nothing(module, compute):
    """Scores of some thousands are rounded to a thousandth or so before they are compared."""
    rng = np.random.default_rng(9)
    values = (40 * rng.standard_normal((2, 9, 24))).astype(np.float32)
    x = leaf("x", values.shape)
    node = ops.apply("attention_weights", x, sizes={"h": 1}, attributes={"causal": 0})
    q, k, _ = np.split(values.astype(np.float64), 3, axis=2)
    scores = q @ k.transpose(0, 2, 1) / np.sqrt(8)
    exact = np.exp(scores - scores.max(axis=2, keepdims=True))
    exact /= exact.sum(axis=2, keepdims=True)
    found = compute(module, node, {x: values})[:, 0]
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3)
    assert (found[exact < 1e-39] == 0).all()


# -------------------------------------------------------------------------------- the configuration


def problems(raw, data):
    with pytest.raises(ValueError, match=".+") as refused:
        parse(raw, data)
    return str(refused.value)


def test_heads_must_divide_the_width():
    embedding = {"type": "embedding", "vocab_size": 9, "embed_dim": 20}
    found = problems(settings(embedding, {"type": "attention", "heads": 3}), tokens_of(4, 9))
    assert "architecture.layers[1].type: 'attention' has 3 heads, which do not divide" in found
    assert "width of its steps, 20; take 2 heads or another width" in found


@pytest.mark.parametrize(
    ("layers", "data", "message"),
    [
        (
            [{"type": "attention", "heads": 2}],
            DataShape.table(8, 2),
            "'attention' takes sequences of steps, and 8 values came; put 'embedding' before it",
        ),
        (
            [{"type": "embedding", "vocab_size": 9, "embed_dim": 4}],
            DataShape.table(8, 2),
            "'embedding' takes tokens, and the data are numbers; leave it out",
        ),
        (
            [{"type": "embedding", "vocab_size": 9, "embed_dim": 4}],
            tokens_of(8, 10),
            "layers[0].vocab_size: must be at least 10, the vocabulary of the data, not 9",
        ),
        (
            [{"type": "global_average_pooling"}],
            DataShape.table(8, 2),
            "'global_average_pooling' takes sequences or pictures; 8 values came",
        ),
        (
            [{"type": "positional_encoding", "kind": "sine"}],
            DataShape((4, 3), Target.CLASSES, 2),
            "layers[0].kind: 'sine' is not known (known: sinusoidal, learned)",
        ),
    ],
)
def test_a_layer_out_of_place_is_told_what_would_be_right(layers, data, message):
    assert message in problems(settings(*layers), data)


def test_layers_on_their_own_refuse_other_shapes():
    for layer, shape in [
        (Feedforward(4), (3,)),
        (PositionalEncoding(), (3, 4, 5)),
        (Embedding(5, 4), (3, 4)),
    ]:
        with pytest.raises(Misfit, match="came"):
            layer.output(shape)


def test_a_block_is_its_attention_and_its_feedforward():
    block = {"type": "transformer_block", "heads": 2, "ff_dim": 9, "dropout": 0.1, "causal": True}
    embedding = {"type": "embedding", "vocab_size": 9, "embed_dim": 4}
    layers = parse(settings(embedding, block), tokens_of(5, 9)).architecture.networks["network"]
    assert layers.layers == (
        Embedding(9, 4),
        Attention(2, 0.1, True),
        Feedforward(9, 0.1),
        GlobalAveragePooling(),
        Dense(2, "softmax"),
    )


def test_steps_are_averaged_before_an_output_that_was_written():
    embedding = {"type": "embedding", "vocab_size": 9, "embed_dim": 4}
    written = parse(settings(embedding, {"type": "output", "size": 2}), tokens_of(5, 9))
    added = parse(settings(embedding), tokens_of(5, 9))
    assert written.digest() == added.digest()


def test_what_foretells_the_next_token_may_not_look_ahead():
    embedding = {"type": "embedding", "vocab_size": 9, "embed_dim": 4}
    data = DataShape((5,), Target.NEXT, 9, 9)
    found = parse(settings(embedding, {"type": "attention", "heads": 2}), data)
    network = found.architecture.networks["network"]
    assert network.layers[1] == Attention(2, causal=True)
    assert network.output == (5, 9)
