"""Transformers: the same numbers as PyTorch, what a step may see, and that they learn.

Where PyTorch is installed it is asked; everywhere the figures that it gave are read from
figures/transformers.json, which it writes anew by

    python -m tests.kernels.test_transformers
"""

import json
from pathlib import Path

import numpy as np
import pytest

from kernels import blocks, ops, optimizers
from kernels.autodiff import gradients
from kernels.compiler import Program, compile_programs
from kernels.config import parse
from kernels.data import DataShape, Target, TrainingData
from kernels.graph import leaf, reshape
from kernels.layers.attention import Attention, Feedforward, LayerNorm
from kernels.layers.dense import Dense
from kernels.layers.layer import Misfit
from kernels.layers.sequences import Embedding, PositionalEncoding
from kernels.layers.vision import GlobalAveragePooling
from kernels.limits import Limits
from kernels.network import Network
from kernels.ops.sequences import sinusoids
from kernels.runtime import Sandbox
from kernels.trainer import Trainer

FIGURES = Path(__file__).parent / "figures" / "transformers.json"
STEPS, VOCABULARY, WIDTH, ROWS, RATE = 6, 11, 8, 5, 0.01
NETWORKS = {
    "encoder": Network(
        (STEPS,),
        (
            Embedding(VOCABULARY, WIDTH),
            Attention(2),
            Feedforward(12),
            LayerNorm(),
            GlobalAveragePooling(),
            Dense(3, "softmax"),
        ),
    ),
    "decoder": Network(
        (STEPS,),
        (
            Embedding(VOCABULARY, WIDTH, "learned"),
            Attention(4, causal=True),
            Feedforward(9, activation="gelu"),
            Dense(VOCABULARY, "softmax"),
        ),
    ),
}
TARGETS = {"encoder": (ROWS, 1), "decoder": (ROWS, STEPS)}
CLASSES = {"encoder": 3, "decoder": VOCABULARY}


def start(name):
    """Tokens, targets, and weights that no way of drawing them can change."""
    rng = np.random.default_rng(5)
    tokens = rng.integers(0, VOCABULARY, (ROWS, STEPS))
    targets = rng.integers(0, CLASSES[name], TARGETS[name])
    parameters = NETWORKS[name].parameters()
    weights = {
        p.name: (p.center + 0.4 * rng.standard_normal(p.shape)).astype(np.float32)
        for p in parameters
    }
    return tokens, targets, weights


def our_steps(name, module, count=10):
    """Logits and gradients at the start, then the losses and the weights of ten steps of Adam."""
    network, (tokens, targets, weights) = NETWORKS[name], start(name)
    held, slopes = (blocks.block(part, network.parameters()) for part in ("weights", "slopes"))
    x, y = leaf("x", tokens.shape, "u4"), leaf("y", (targets.size, 1), "u4")
    logits = network.build(x, held.parts)
    flat = reshape(logits, (targets.size, CLASSES[name]))
    loss = ops.apply("cross_entropy", flat, y)
    found = gradients(loss, held.parts.values())
    into = {found[held.parts[key]]: place for key, place in slopes.parts.items()}
    losses, corrects = leaf("losses", (count,)), leaf("corrects", (count,))
    record = ops.apply("record", loss, losses, corrects)
    first, second = (leaf(part, held.whole.shape) for part in optimizers.MOMENTS["adam"])
    rate, counted, out = leaf("rate", (1,)), leaf("counted", (1,)), leaf("out", flat.shape)
    move = optimizers.move("adam", held.whole, slopes.whole, (first, second), rate, counted)
    programs = {
        "look": Program([flat, *into], into | {flat: out}),
        "step": Program([record, *into, move], into),
    }
    sandbox = Sandbox(module, compile_programs(programs), Limits(memory_bytes=2**26))
    for key, values in weights.items():
        sandbox.array(held.parts[key])[...] = values
    sandbox.array(x)[...] = tokens
    sandbox.array(y)[...] = targets.reshape(-1, 1)
    sandbox.array(rate)[...] = RATE
    sandbox.run("look", 0, 1)
    outputs = sandbox.array(out).reshape(logits.shape).copy()
    slopes_found = taken_apart(sandbox, slopes)
    sandbox.run("step", 0, count)
    return outputs, slopes_found, sandbox.array(losses).copy(), taken_apart(sandbox, held)


def taken_apart(sandbox, block):
    whole, offset = sandbox.array(block.whole), 0
    found = {}
    for key, part in block.parts.items():
        found[key] = whole[offset : offset + part.elements].reshape(part.shape).copy()
        offset += part.elements
    return found


def torch_forward(torch, name, w, tokens):
    """The same network as people write it in PyTorch."""
    functional = torch.nn.functional

    def norm(x, key):
        return functional.layer_norm(x, (WIDTH,), w[f"{key}gain"], w[f"{key}bias"])

    def dense(x, key):
        return x @ w[f"{key}.weight"] + w[f"{key}.bias"]

    is_encoder = name == "encoder"
    stand = torch.from_numpy(sinusoids(STEPS, WIDTH).astype(np.float32))
    x = w["embedding0.table"][tokens] + (stand if is_encoder else w["embedding0.positions"])
    heads = 2 if is_encoder else 4
    qkv = dense(norm(x, "attention1.norm."), "attention1.qkv")
    q, k, v = qkv.view(ROWS, STEPS, 3, heads, WIDTH // heads).permute(2, 0, 3, 1, 4)
    y = functional.scaled_dot_product_attention(q, k, v, is_causal=not is_encoder)
    x = x + dense(y.transpose(1, 2).reshape(ROWS, STEPS, WIDTH), "attention1.out")
    y = dense(norm(x, "feedforward2.norm."), "feedforward2.in")
    y = torch.relu(y) if is_encoder else functional.gelu(y, approximate="tanh")
    x = x + dense(y, "feedforward2.out")
    return dense(norm(x, "layer_norm3.").mean(1), "dense5") if is_encoder else dense(x, "dense3")


def torch_steps(torch, name, count=10):
    tokens, targets, weights = start(name)
    w = {key: torch.tensor(values, requires_grad=True) for key, values in weights.items()}
    optimizer = torch.optim.Adam(w.values(), lr=RATE)
    losses = []
    for step in range(count):
        optimizer.zero_grad()
        logits = torch_forward(torch, name, w, torch.from_numpy(tokens))
        flat = logits.reshape(-1, CLASSES[name])
        loss = torch.nn.functional.cross_entropy(flat, torch.from_numpy(targets.reshape(-1)))
        loss.backward()
        if step == 0:
            outputs = logits.detach().numpy().copy()
            slopes = {key: value.grad.numpy().copy() for key, value in w.items()}
        optimizer.step()
        losses.append(loss.item())
    moved = {key: value.detach().numpy() for key, value in w.items()}
    return outputs, slopes, np.array(losses), moved


def without_key_bias(values):
    """A bias of all keys moves each row of scores as a whole, which softmax does not notice: its
    gradient is rounding, and Adam makes steps as large of it as of any other.
    """
    return {
        key: np.delete(array, slice(WIDTH, 2 * WIDTH)) if key.endswith("qkv.bias") else array
        for key, array in values.items()
    }


def lengths(values):
    return {key: float(np.linalg.norm(array)) for key, array in without_key_bias(values).items()}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_gradients_and_ten_steps_are_those_of_pytorch(name, module):
    torch = pytest.importorskip("torch")
    outputs, slopes, losses, moved = our_steps(name, module)
    expected = torch_steps(torch, name)
    np.testing.assert_allclose(outputs, expected[0], rtol=0, atol=5e-6)
    for key, values in slopes.items():
        limit = 2e-6 * max(1, np.abs(expected[1][key]).max())
        np.testing.assert_allclose(values, expected[1][key], rtol=0, atol=limit, err_msg=key)
    np.testing.assert_allclose(losses, expected[2], rtol=0, atol=2e-5)
    theirs = without_key_bias(expected[3])
    for key, values in without_key_bias(moved).items():
        np.testing.assert_allclose(values, theirs[key], rtol=0, atol=1e-3, err_msg=key)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_figures_that_pytorch_gave_come_out(name, module):
    figures = json.loads(FIGURES.read_text())[name]
    outputs, slopes, losses, moved = our_steps(name, module)
    np.testing.assert_allclose(outputs, figures["outputs"], rtol=0, atol=5e-6)
    assert lengths(slopes) == pytest.approx(figures["slopes"], rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(losses, figures["losses"], rtol=0, atol=2e-5)
    assert lengths(moved) == pytest.approx(figures["moved"], rel=1e-3)


def write_figures():
    import torch  # noqa: PLC0415  # an optional peer, and only where the figures are made

    found = {}
    for name in NETWORKS:
        outputs, slopes, losses, moved = torch_steps(torch, name)
        found[name] = {
            "outputs": outputs.tolist(),
            "losses": losses.tolist(),
            "slopes": lengths(slopes),
            "moved": lengths(moved),
        }
    FIGURES.write_text(json.dumps(found, indent=1) + "\n")


# ------------------------------------------------------------------------------ what a step may see


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
    tokens, _, weights = start("decoder")
    before = answers(module, NETWORKS["decoder"], weights, tokens)
    for step in range(STEPS - 1):
        changed = tokens.copy()
        changed[:, step + 1 :] = (changed[:, step + 1 :] + 3) % VOCABULARY
        after = answers(module, NETWORKS["decoder"], weights, changed)
        np.testing.assert_array_equal(after[:, : step + 1], before[:, : step + 1])
        assert (after[:, step + 1] != before[:, step + 1]).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_row_does_not_see_the_other_rows(name, module):
    tokens, _, weights = start(name)
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


# -------------------------------------------------------------------------------- the configuration


def tokens_of(steps, vocabulary, classes=2):
    return DataShape((steps,), Target.CLASSES, classes, vocabulary)


def settings(*layers, kind="transformer", epochs=1):
    training = {"epochs": epochs, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"}
    return {"architecture": {"type": kind, "layers": list(layers)}, "training": training}


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


# ---------------------------------------------------------------------------------- that they learn

DOCUMENTED = [
    {"type": "embedding", "params": {"vocab_size": 10_000, "embed_dim": 256}},
    {"type": "attention", "params": {"heads": 8, "dropout": 0.1}},
    {"type": "feedforward", "params": {"hidden_dim": 1_024, "dropout": 0.1}},
]


def orders(rows, steps, seed):
    """Sequences of tokens, and whether token 1 comes before token 2: nothing that a count shows."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(3, 12, (rows, steps)).astype(np.int32)
    places = np.sort(np.stack([rng.permutation(steps)[:2] for _ in range(rows)]), axis=1)
    labels = rng.integers(0, 2, rows)
    tokens[np.arange(rows), places[:, 0]] = np.where(labels, 1, 2)
    tokens[np.arange(rows), places[:, 1]] = np.where(labels, 2, 1)
    return tokens, labels.astype(np.int32)


def test_a_transformer_learns_which_token_comes_first(simd):
    rows, labels = orders(512, 8, seed=1)
    others, truth = orders(256, 8, seed=2)
    raw = settings(
        {"type": "embedding", "vocab_size": 12, "embed_dim": 16},
        {"type": "transformer_block", "heads": 4, "ff_dim": 32},
        {"type": "layer_norm"},
        epochs=40,
    )
    trainer = Trainer(
        parse(raw, tokens_of(8, 12)), TrainingData(rows, labels, others, truth), seed=3, module=simd
    )
    metrics = list(trainer.run())
    assert metrics[0].validation_metric < 0.7
    assert metrics[-1].validation_metric > 0.97


def test_the_documented_transformer_trains_as_it_is_written(simd):
    """2.6 million parameters, 20 steps: a second or two."""
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 10_000, (64, 12)).astype(np.int32)
    data = TrainingData(rows, (rows[:, 0] % 2).astype(np.int32), rows[:0], rows[:0, 0])
    raw = settings(*DOCUMENTED, epochs=10)
    raw["training"]["learning_rate"] = 0.001
    trainer = Trainer(parse(raw, tokens_of(12, 10_000)), data, seed=3, module=simd)
    metrics = list(trainer.run())
    assert metrics[-1].train_loss < 0.5 * metrics[0].train_loss
    assert metrics[-1].train_metric > 0.9


if __name__ == "__main__":
    write_figures()
