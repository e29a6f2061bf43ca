"""Explanations: slopes are slopes, contributions add up, attention maps are what attention used."""

import numpy as np
import pytest

from kernels import build, config, explain, forward, modelfile, ops, quantise
from kernels.bench.models import exported
from kernels.bench.workloads import WORKLOADS
from kernels.data import DataShape
from kernels.explain import Explainer, NotExplained
from kernels.forward import Forward
from kernels.graph import leaf, reshape
from kernels.modelfile import Model, Signature
from kernels.predictor import Predictor
from kernels.trainer import Trainer


@pytest.fixture(scope="module")
def digit_model(digits):
    """Handwritten digits with a smooth activation, since differences are taken of it."""
    raw = {
        "architecture": {
            "type": "feedforward",
            "layers": [{"type": "dense", "units": 32, "activation": "tanh"}],
        },
        "training": {"epochs": 8, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"},
    }
    trainer = Trainer(
        config.parse(raw, DataShape.table(64, 10)), digits, seed=3, module=build.module()
    )
    list(trainer.run())
    return modelfile.load(trainer.export(Signature((), ()), {}))


def token_model(heads=2, steps=6, width=8, words=11):
    """Tokens, where they stand, two attention blocks, a mean, two classes."""
    known = {}

    def parameter(name, *shape):
        known[name] = leaf(name, shape)
        return known[name]

    x = leaf("tokens", (1, steps), "u4")
    h = ops.apply("positions", ops.apply("embedding", x, parameter("table", words, width)))
    for number, causal in enumerate((0, 1)):
        weights = parameter(f"qkv{number}", width, 3 * width)
        qkv = ops.apply("matmul_nn", reshape(h, (steps, width)), weights)
        qkv = reshape(qkv, (1, steps, 3 * width))
        mixed = ops.apply("attention", qkv, sizes={"h": heads}, attributes={"causal": causal})
        h = ops.apply("sum", h, mixed)
    logits = ops.apply("matmul_nn", ops.apply("mean_steps", h), parameter("out", width, 2))
    made = Forward({"tokens": x}, known, {"probabilities": ops.apply("softmax", logits)})
    rng = np.random.default_rng(9)
    arrays = {n: rng.standard_normal(p.shape).astype(np.float32) for n, p in known.items()}
    return Model(forward.to_json(made), Signature((), ()), arrays)


def logit_differences(model, rows, output, other):
    """log p(output) - log p(other): a difference of scores that the predictor does show."""
    found = Predictor(modelfile.dump(model), module=build.module()).predict(rows)
    return np.log(found[:, output].astype(float)) - np.log(found[:, other].astype(float))


def test_a_gradient_is_the_slope_of_the_score(digit_model, digits, module):
    asked = Explainer(digit_model, module=module)
    example = digits.validation_rows[0]
    slope = asked.gradient(example, 3) - asked.gradient(example, 5)
    assert slope.shape == (64,)
    steps = 0.02 * digit_model.arrays["input.scale"]  # some pixels hardly ever vary
    moved = example + np.concatenate([np.diag(steps), -np.diag(steps)])
    scores = logit_differences(digit_model, moved, 3, 5)
    differences = (scores[:64] - scores[64:]) / (2 * steps)
    np.testing.assert_allclose(slope * steps, differences * steps, atol=5e-5)
    assert np.abs(slope * steps).max() > 5e-3


def test_contributions_add_up_to_the_difference_of_scores(digit_model, digits, simd):
    asked = Explainer(digit_model, module=simd)
    example, baseline = digits.validation_rows[:2]
    found = asked.contributions(example, 3, baseline=baseline, points=256)
    assert found.values.shape == (64,)
    assert abs(found.missing) < 0.01 * abs(found.score - found.baseline_score)
    few = asked.contributions(example, 3, baseline=baseline, points=4)
    assert abs(few.missing) > abs(found.missing)
    same = found.values[example == baseline]
    assert len(same)
    assert (same == 0).all()
    other = asked.contributions(example, 5, baseline=baseline, points=256)
    shown = logit_differences(digit_model, np.stack([example]), 3, 5)
    assert found.score - other.score == pytest.approx(shown[0], abs=1e-3)


def test_explanations_are_the_same_bits_in_both_modules(digit_model, digits):
    example = digits.validation_rows[4]
    first, second = (
        Explainer(digit_model, module=build.module(v)).contributions(example, 1)
        for v in ("simd", "scalar")
    )
    np.testing.assert_array_equal(first.values, second.values)


def test_each_token_has_its_contribution(simd):
    model = token_model()
    asked = Explainer(model, module=simd)
    tokens = np.array([1, 5, 0, 10, 5, 2], np.uint32)
    assert asked.gradient(tokens, 0).shape == (6, 8)
    found = asked.contributions(tokens, 1, points=400)
    assert found.values.shape == (6,)
    assert abs(found.missing) < 0.02 * max(1, abs(found.score - found.baseline_score))


def test_attention_maps_are_shares_and_causal_ones_look_back(simd):
    asked = Explainer(token_model(), module=simd)
    first, second = asked.attention(np.array([1, 5, 0, 10, 5, 2]))
    assert first.shape == second.shape == (2, 6, 6)
    np.testing.assert_allclose(first.sum(axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(second.sum(axis=-1), 1, atol=1e-5)
    assert (first > 0).all()
    assert (np.triu(second, 1) == 0).all()


def test_a_model_without_attention_has_no_maps(digit_model, digits, simd):
    assert Explainer(digit_model, module=simd).attention(digits.validation_rows[0]) == []


@pytest.mark.parametrize(
    ("example", "output", "message"),
    [
        (np.zeros(63), 0, r"example: must be of shape \(64,\), not \(63,\)"),
        (np.full(64, np.nan), 0, "example: must be finite"),
        (np.full(64, 1e300), 0, "example: must be finite"),
        (np.array(["a"] * 64), 0, "example: must be numbers, not <U1"),
        (np.zeros(64), 10, "output: must be from 0 to 9, not 10"),
        (np.zeros(64), -1, "output: must be from 0 to 9, not -1"),
    ],
)
def test_what_cannot_be_explained_is_said(example, output, message, digit_model, simd):
    with pytest.raises(NotExplained, match=message):
        Explainer(digit_model, module=simd).gradient(example, output)


@pytest.mark.parametrize("token", [11, -1, 2**31])
def test_a_token_that_the_model_does_not_know_is_refused_and_the_next_is_explained(token, simd):
    asked = Explainer(token_model(), module=simd)
    wrong, right = np.array([1, 5, 0, 10, 5, token]), np.array([1, 5, 0, 10, 5, 2])
    expected = asked.gradient(right, 0)
    for ask in (
        lambda: asked.gradient(wrong, 0),
        lambda: asked.contributions(wrong, 0),
        lambda: asked.contributions(right, 0, baseline=wrong),
        lambda: asked.attention(wrong),
    ):
        with pytest.raises(NotExplained, match="example: tokens must be from 0 to 10"):
            ask()
    with pytest.raises(NotExplained, match="tokens must be whole numbers, not float64"):
        asked.gradient(right + 0.5, 0)
    np.testing.assert_array_equal(asked.gradient(right, 0), expected)


@pytest.mark.parametrize("points", [0, -1])
def test_contributions_take_at_least_one_point(points, digit_model, simd):
    with pytest.raises(NotExplained, match=f"points: must be at least 1, not {points}"):
        Explainer(digit_model, module=simd).contributions(np.zeros(64), 0, points=points)


def test_tokens_read_in_two_ways_are_refused():
    tokens = leaf("tokens", (1, 4), "u4")
    first, second = (ops.apply("embedding", tokens, leaf(n, (5, 3))) for n in "ab")
    with pytest.raises(NotExplained, match="other than one embedding"):
        explain.embedding_of(ops.apply("sum", first, second), tokens)


def test_what_has_no_slope_is_refused(digit_model, simd):
    with pytest.raises(NotExplained, match="dense_int8 has no gradient"):
        Explainer(quantise.quantise(digit_model), module=simd)


@pytest.mark.parametrize("workload", WORKLOADS[:-1], ids=lambda of: of.network)
def test_every_architecture_can_be_explained(workload, simd):
    """All but the largest, whose slopes take seconds."""
    found = exported(workload)
    asked = Explainer(modelfile.load(found.file), module=simd)
    of = asked.contributions(found.rows[0], 3, points=128)
    assert of.values.shape == workload.input
    assert np.isfinite(of.values).all()
    assert abs(of.missing) < 0.02 * max(abs(of.score - of.baseline_score), 0.1)
