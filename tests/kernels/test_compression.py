"""Smaller networks: products of bytes and weights that stay zero, and what they cost."""

import numpy as np
import pytest

from kernels import build, config, forward, modelfile, ops, prune, quantise, sampling
from kernels.bench.models import exported
from kernels.bench.workloads import WORKLOADS
from kernels.checkpoints import CheckpointRefused
from kernels.data import DataShape
from kernels.exchange import onnx_writer, wasm
from kernels.exchange.wasm import Texts
from kernels.forward import Forward
from kernels.graph import leaf
from kernels.modelfile import Model, Signature
from kernels.ops import apply
from kernels.predictor import Predictor, RowsRefused
from kernels.tensors import ModelRefused
from kernels.trainer import Trainer
from tests.kernels.networks import NETWORKS


def byte_product(rng, rows, k, n):
    x, w = leaf("x", (rows, k)), leaf("w", (k, n), "i1")
    scales, bias = leaf("scales", (n,)), leaf("bias", (n,))
    memory = {
        x: rng.standard_normal((rows, k)).astype(np.float32),
        w: rng.integers(-127, 128, (k, n)).astype(np.int8),
        scales: np.exp(rng.standard_normal(n)).astype(np.float32),
        bias: rng.standard_normal(n).astype(np.float32),
    }
    return apply("dense_int8", x, w, scales, bias), memory


def test_a_row_gives_the_same_bits_alone_and_among_others(module, compute):
    rng = np.random.default_rng(1)
    for rows, k, n in ((7, 33, 41), (5, 64, 100)):
        node, memory = byte_product(rng, rows, k, n)
        together = compute(module, node, memory)
        x, *others = memory
        for row in range(rows):
            alone, single = byte_product(rng, 1, k, n)
            values = [memory[x][row : row + 1], *(memory[place] for place in others)]
            found = compute(module, alone, dict(zip(single, values, strict=True)))
            np.testing.assert_array_equal(found[0], together[row])


def test_products_of_bytes_are_near_those_of_the_numbers_they_stand_for(module, compute):
    rng = np.random.default_rng(2)
    node, memory = byte_product(rng, 8, 256, 16)
    x, w, scales, bias = memory.values()
    exact = x.astype(np.float64) @ (w * scales.astype(np.float64)) + bias
    # a row's numbers are rounded by at most half of largest / 127; the errors of 256 of them add
    # up like those of a random walk
    step = np.abs(x).max(axis=1, keepdims=True) / 127
    bound = 6 * step / np.sqrt(12) * np.sqrt((w.astype(float) ** 2).sum(axis=0)) * scales
    assert (np.abs(compute(module, node, memory) - exact) < bound).all()


def test_a_number_that_is_not_finite_shows_in_its_own_row_only(module, compute):
    rng = np.random.default_rng(3)
    for bad in (np.nan, np.inf, -np.inf):
        for at in (0, 6, 8):
            node, memory = byte_product(rng, 3, 9, 5)
            next(iter(memory.values()))[1, at] = bad
            found = compute(module, node, memory)
            assert np.isnan(found[1]).all()
            assert np.isfinite(found[[0, 2]]).all()


def test_a_row_of_zeros_gives_the_bias(module, compute):
    node, memory = byte_product(np.random.default_rng(4), 2, 9, 5)
    x, _, _, bias = memory.values()
    x[...] = 0
    np.testing.assert_array_equal(compute(module, node, memory), np.stack([bias, bias]))


# ------------------------------------------------------------------------------- whole models


@pytest.fixture(scope="module")
def trained(digits):
    """A model of the digits with two hidden layers, after eight epochs."""
    layers = [{"type": "dense", "units": units, "activation": "gelu"} for units in (64, 32)]
    raw = {
        "architecture": {"type": "feedforward", "layers": layers},
        "training": {"epochs": 8, "batch_size": 32, "learning_rate": 0.003, "optimizer": "adam"},
    }
    settings = config.parse(raw, DataShape.table(64, 10))
    trainer = Trainer(settings, digits, seed=3, module=build.module())
    list(trainer.run())
    return trainer.export(Signature((), ()), {})


def test_a_model_of_bytes_is_a_quarter_as_large_and_nearly_as_good(trained, digits, simd):
    small = modelfile.dump(quantise.quantise(modelfile.load(trained)))
    found = quantise.compare(
        trained, small, digits.validation_rows, digits.validation_targets, module=simd
    )
    assert found.metric == "accuracy"
    assert found.metric_before > 0.95
    assert found.metric_after > found.metric_before - 0.01
    assert 0 < found.largest_difference < 0.3
    arrays = modelfile.load(small).arrays
    weights = {name: array for name, array in arrays.items() if array.ndim == 2}
    assert all(array.dtype == np.int8 for array in weights.values())
    stored = sum(array.nbytes for array in arrays.values())
    assert stored < 0.35 * sum(array.nbytes for array in modelfile.load(trained).arrays.values())
    assert found.bytes_after < found.bytes_before
    assert found.row_us_after > 0 < found.row_us_before


def test_a_model_of_bytes_answers_alike_in_both_modules_and_any_company(trained, digits):
    small = modelfile.dump(quantise.quantise(modelfile.load(trained)))
    rows = digits.validation_rows[:40]
    first, second = (Predictor(small, module=build.module(v)) for v in ("simd", "scalar"))
    alone = np.concatenate([second.predict(row[None]) for row in rows])
    np.testing.assert_array_equal(first.predict(rows), alone)


def test_a_model_of_bytes_says_where_it_comes_from_and_cannot_be_trained_on(trained, digits, simd):
    origin = modelfile.load(trained)
    small = quantise.quantise(origin)
    assert small.provenance["quantised_from"] == modelfile.weights_sha256(origin.weights)
    assert small.config is None
    with pytest.raises(ModelRefused, match="has no product"):
        quantise.quantise(small)
    with pytest.raises(ModelRefused, match="cannot be trained on"):
        prune.prune(modelfile.dump(small), digits, fraction=0.5, epochs=1, seed=1, module=simd)


def test_every_product_of_a_network_is_found(simd):
    """dense with its activation, a product with a bias, a product alone; a table that is read
    twice stays whole beside its bytes.
    """
    x, weights = leaf("x", (1, 6)), {}

    def parameter(name, *shape):
        weights[name] = leaf(name, shape)
        return weights[name]

    shared = parameter("shared", 6, 6)
    h = ops.apply("dense", x, shared, parameter("b0", 6), attributes={"activation": 5})
    h = ops.apply("bias", ops.apply("matmul_nn", h, parameter("w1", 6, 5)), parameter("b1", 5))
    h = ops.apply("matmul_nn", ops.apply("relu", h), parameter("w2", 5, 6))
    answer = ops.apply("matmul_nt", h, shared)
    rng = np.random.default_rng(6)
    arrays = {n: rng.standard_normal(w.shape).astype(np.float32) for n, w in weights.items()}
    graph = forward.to_json(Forward({"x": x}, weights, {"y": answer}))
    model = Model(graph, Signature((), ()), arrays)
    small = quantise.quantise(model)
    kinds = [entry["op"] for entry in small.graph["nodes"]]
    assert kinds == ["dense_int8", "gelu", "dense_int8", "relu", "dense_int8", "matmul_nt"]
    assert {n: a.dtype.kind for n, a in small.arrays.items() if a.ndim == 2} == {
        "shared": "f",
        "shared.columns": "i",
        "w1": "i",
        "w2": "i",
    }
    rows = rng.standard_normal((20, 6)).astype(np.float32)
    blobs = [modelfile.dump(model), modelfile.dump(small)]
    values = Predictor(blobs[0], module=simd).predict(rows)
    found = quantise.compare(*blobs, rows, values, module=simd)
    assert (found.metric, found.metric_before) == ("mean absolute error", 0)
    assert found.metric_after < 0.05 * np.abs(values).max()


def test_pruning_keeps_the_weights_that_weigh_most():
    weights = {
        "dense0.weight": np.array([[0.5, -0.1, 0.3], [-0.9, 0.1, 0.2]], np.float32),
        "dense0.bias": np.zeros(3, np.float32),
    }
    found = prune.masks(weights, 0.5)
    assert found["dense0.weight"].tolist() == [[1, 0, 1], [1, 0, 0]]
    assert list(found) == ["dense0.weight"]
    assert prune.masks(weights, {"dense0": 0.2})["dense0.weight"].tolist() == [[1, 0, 1], [1, 1, 1]]
    assert prune.masks(weights, 0.0) == {}
    with pytest.raises(ModelRefused, match="must be from 0 to below 1"):
        prune.masks(weights, 1.0)
    with pytest.raises(ModelRefused, match=r"fraction.lstm: no weight matrix; dense0.weight"):
        prune.masks(weights, {"lstm": 0.5})


def test_a_pruned_model_is_trained_on_and_its_zeros_stay(trained, digits, simd):
    found, report = prune.prune(trained, digits, fraction=0.8, epochs=4, seed=5, module=simd)
    again, _ = prune.prune(trained, digits, fraction=0.8, epochs=4, seed=5, module=simd)
    assert found == again
    weights = modelfile.load(found).weights
    expected = prune.masks(modelfile.load(trained).weights, 0.8)
    for name, kept in expected.items():
        assert ((weights[name] == 0) == (kept == 0)).all()
        assert report.sparsity[name] == pytest.approx(0.8, abs=0.01)
    assert report.dropped == sum(int((kept == 0).sum()) for kept in expected.values())
    assert report.metric_dropped < report.metric_after
    assert report.metric_after > report.metric_before - 0.03
    assert report.compressed_bytes_after < 0.6 * report.compressed_bytes_before
    assert modelfile.load(found).provenance["pruned"] == 0.8


def test_a_masked_run_may_be_stopped_and_goes_on_as_masked_only(trained, digits, simd):
    model = modelfile.load(trained)
    zeros = prune.masks(model.weights, 0.5)

    def fresh(mask):
        return Trainer(model.config, digits, seed=5, module=simd, mask=mask)

    straight, first, second = fresh(zeros), fresh(zeros), fresh(zeros)
    list(straight.run(steps=50))
    list(first.run(steps=20))
    second.restore(first.checkpoint())
    list(second.run(steps=30))
    assert second.weights_sha256() == straight.weights_sha256()
    for other in (fresh(None), fresh(prune.masks(model.weights, 0.6))):
        with pytest.raises(CheckpointRefused, match="mask_sha256"):
            other.restore(first.checkpoint())


def test_a_table_of_embeddings_becomes_bytes_with_a_scale_for_each_row(simd):
    tokens, table = leaf("tokens", (1, 3), "u4"), leaf("table", (5, 7))
    graph = forward.to_json(
        Forward({"tokens": tokens}, {"table": table}, {"y": ops.apply("embedding", tokens, table)})
    )
    values = np.random.default_rng(7).standard_normal((5, 7)).astype(np.float32)
    values[2] *= 100  # a row of its own size costs the others nothing
    model = Model(graph, Signature((), ()), {"table": values})
    small = quantise.quantise(model)
    assert {n: (a.dtype.str, a.shape) for n, a in small.arrays.items()} == {
        "table": ("|i1", (5, 7)),
        "table.scales": ("<f4", (5,)),
    }
    found = Predictor(modelfile.dump(small), module=simd).predict(np.array([[4, 2, 0]], np.uint32))
    expected = values[[4, 2, 0]]
    half_a_step = np.abs(expected).max(axis=1, keepdims=True) / 127 / 2
    assert (np.abs(found[0] - expected) <= 1.001 * half_a_step).all()


@pytest.mark.parametrize("workload", WORKLOADS[:-1], ids=lambda of: of.network)
def test_every_architecture_can_be_quantised(workload, simd):
    """All but the largest. Answers after one step of training move by a fiftieth at most."""
    model = exported(workload)
    small = modelfile.dump(quantise.quantise(modelfile.load(model.file)))
    labels = np.zeros(len(model.rows), np.int64)
    found = quantise.compare(model.file, small, model.rows, labels, module=simd)
    assert found.bytes_after < found.bytes_before
    assert 0 < found.largest_difference < 0.03


def test_a_decoder_of_bytes_knows_its_tokens_everywhere(simd):
    network = NETWORKS["quantised decoder"]()
    model = Model(network.graph, Signature((), ()), network.arrays)
    predictor = Predictor(modelfile.dump(model), module=simd)
    assert predictor.vocabulary == 7
    assert predictor.example_rows(50).max() == 6
    for token in (7, 2**31):
        with pytest.raises(RowsRefused, match="row 1: tokens must be from 0 to 6"):
            predictor.predict(np.array([[0] * 6, [0] * 5 + [token]], np.uint32))
    assert np.isfinite(predictor.predict(network.rows)).all()  # it answers after a refusal
    exported = wasm.read(wasm.export(network.graph, network.arrays, Texts({}, {}), simd))
    assert exported["inputs"][0]["below"] == 7
    assert predictor.steps == 6
    written = sampling.generate(predictor.predict, [3], 20, steps=6, module=simd)
    assert all(0 <= token < 7 for token in written)


def test_a_model_of_bytes_leaves_as_onnx(simd):
    """Rounding to bytes may fall the other way where it is close, hence not to the last bit."""
    runtime = pytest.importorskip("onnxruntime")
    (workload,) = (of for of in WORKLOADS if of.network == "small_transformer")
    model = exported(workload)
    small = quantise.quantise(modelfile.load(model.file))
    written = onnx_writer.export(small.graph, small.arrays, Texts({}, {}))
    session = runtime.InferenceSession(written, providers=["CPUExecutionProvider"])
    tokens = model.rows.astype(np.int64)
    (found,) = session.run(None, {session.get_inputs()[0].name: tokens})
    expected = Predictor(modelfile.dump(small), module=simd).predict(model.rows)
    np.testing.assert_allclose(found, expected, atol=2e-3)
