"""Model files: the same bytes for the same model, and nothing believed of a file from outside."""

import json
import struct

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import config, forward, modelfile, tensors
from kernels.data import DataShape, Target
from kernels.modelfile import Model, Signature, dump, load
from kernels.objectives import objective_of
from kernels.predictor import Predictor
from kernels.tensors import ModelRefused
from tests.kernels.networks import NETWORKS, network

CONFIG = config.parse(
    {
        "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 4}]},
        "training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "optimizer": "sgd"},
    },
    DataShape.table(6, 3),
)
SIGNATURE = Signature(tuple("abcdef"), ("yes", "no", "<script>"), (2, 3))


def model(arrays=(), **changes):
    rng = np.random.default_rng(1)
    parts = {
        "config": CONFIG,
        "signature": SIGNATURE,
        "graph": forward.to_json(objective_of(CONFIG).answer(1)),
        "arrays": {
            p.name: rng.standard_normal(p.shape).astype(np.float32) for p in CONFIG.parameters
        }
        | {"input.mean": np.zeros(6, np.float32), "input.scale": np.ones(6, np.float32)}
        | dict(arrays),
        "provenance": {"seed": 7, "kernel_hash": "ab"},
    }
    return Model(**(parts | changes))


def pieces(blob):
    length = struct.unpack("<Q", blob[:8])[0]
    return json.loads(blob[8 : 8 + length]), blob[8 + length :]


def assembled(header, buffer):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + buffer


def test_a_model_comes_back_as_it_was():
    blob = dump(model())
    again = load(blob)
    assert again.config == CONFIG
    assert again.signature == SIGNATURE
    assert again.provenance == {"seed": 7, "kernel_hash": "ab"}
    for name, array in model().weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    assert sorted(again.weights) == sorted(parameter.name for parameter in CONFIG.parameters)
    assert dump(again) == blob


def test_anyone_can_read_it_with_the_library():
    arrays = safetensors.numpy.load(dump(model()))
    assert sorted(arrays) == [
        "dense0.bias",
        "dense0.weight",
        "dense1.bias",
        "dense1.weight",
        "input.mean",
        "input.scale",
    ]


def test_the_hash_of_weights_sees_a_bit_a_name_and_a_shape():
    weights = {"a": np.zeros((2, 3), np.float32)}
    first = modelfile.weights_sha256(weights)
    tiny = np.zeros((2, 3), np.float32)
    tiny[1, 2] = -0.0
    others = [{"a": tiny}, {"b": weights["a"]}, {"a": weights["a"].reshape(3, 2)}]
    assert len({first, *map(modelfile.weights_sha256, others)}) == 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"arrays": {"input.mean": np.zeros(5, "f4")}},
            r"input.mean: must be float32 \(6,\)",
        ),
        (
            {"arrays": {"input.scale": np.zeros(6, "f4")}},
            "input.scale: must be greater than zero",
        ),
        ({"arrays": {"input.scale": np.full(6, np.nan, np.float32)}}, "input.scale: holds numbers"),
        ({"arrays": {"input.mean": np.zeros(6)}}, "input.mean: must be float32"),
        ({"signature": Signature(tuple("abcde"), ("x", "y", "z"))}, "features: must be 6 names"),
        ({"signature": Signature(tuple("abcdef"), ("x", "y"))}, "classes: must be 3 names"),
    ],
)
def test_a_model_whose_parts_do_not_belong_together_is_not_written(changes, message):
    with pytest.raises(ModelRefused, match=message):
        dump(model(**changes))


@pytest.mark.parametrize("words", [6, 8])
@pytest.mark.parametrize("name", ["tokens", "quantised decoder"])
def test_a_vocabulary_has_a_name_for_each_token_that_the_model_knows(name, words):
    network = NETWORKS[name]()
    for known in (0, 7):
        signature = Signature((), (), vocabulary=tuple("abcdefg"[:known]))
        dump(Model(network.graph, signature, network.arrays))
    signature = Signature((), (), vocabulary=tuple("abcdefgh"[:words]))
    with pytest.raises(ModelRefused, match=f"vocabulary: must be 7 to 7 names, not {words}"):
        dump(Model(network.graph, signature, network.arrays))


def test_a_table_may_know_more_tokens_than_there_are_words(simd):
    """And then what is written has a name, but not each token that is taken."""
    layers = [
        {"type": "embedding", "vocab_size": 10, "embed_dim": 4},
        {"type": "transformer_block", "heads": 2, "ff_dim": 4},
    ]
    training = {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "optimizer": "sgd"}
    raw = {"architecture": {"type": "transformer", "layers": layers}, "training": training}
    shape = DataShape((6,), Target.NEXT, 7, 7)
    made = network(objective_of(config.parse(raw, shape)).answer(1))
    parts = {"graph": made.graph, "arrays": made.arrays, "config": config.parse(raw, shape)}
    for words in (7, 10):
        names = Signature((), (), vocabulary=tuple("abcdefghij"[:words]))
        blob = dump(Model(**parts, signature=names))
        predictor = Predictor(blob, module=simd)
        assert (predictor.steps, predictor.vocabulary) == (6, 10)
    for words in (6, 11):
        names = Signature((), (), vocabulary=tuple("abcdefghijk"[:words]))
        with pytest.raises(ModelRefused, match=f"must be 7 to 10 names, not {words}"):
            dump(Model(**parts, signature=names))


def header_changed(change):
    header, buffer = pieces(dump(model()))
    change(header)
    return assembled(header, buffer)


def texts_changed(key, value):
    return header_changed(lambda header: header["__metadata__"].update({key: value}))


def graph_changed(change):
    graph = json.loads(json.dumps(model().graph))
    change(graph)
    return texts_changed("graph", json.dumps(graph))


def with_weight(value):
    weights = model().weights | {"dense0.bias": np.full(4, value, np.float32)}
    arrays, texts = tensors.read(dump(model()))
    return tensors.write(arrays | weights, texts)


def without(name):
    arrays, texts = tensors.read(dump(model()))
    arrays.pop(name)
    return tensors.write(arrays, texts)


def swapped(name, array):
    arrays, texts = tensors.read(dump(model()))
    return tensors.write(arrays | {name: array}, texts)


BLOB = dump(model())
HEADER, BUFFER = pieces(BLOB)
TWICE = json.dumps(HEADER).encode()[:-1] + b', "dense0.bias": {"dtype": "F32"}}'
DATA = {"input": [6], "target": "classes", "size": 3, "vocabulary": 0}
EMPTY = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
MANY = HEADER | {f"t{i}": EMPTY for i in range(2_049)}

HOSTILE = {
    "nothing": (b"", "0 bytes are no safetensors"),
    "a header longer than the file": (struct.pack("<Q", 2**63) + b"{}" * 8, "header: 9,223"),
    "a header of 2 MB": (assembled(b"{" + b" " * 2_000_000 + b"}", b""), "at most 1,048,576"),
    "a pickle": (b"\x80\x04\x95" + b"\x00" * 40, "header"),
    "no object": (assembled(b"[1, 2, 3]", b""), "must begin with '{'"),
    "no JSON": (assembled(b"{not json}", b""), "header: must be JSON"),
    "no UTF-8": (assembled(b"{\xff\xfe\xff}", b""), "header: must be UTF-8"),
    "deep JSON": (assembled(b'{"a":' * 40_000 + b"1" + b"}" * 40_000, b""), "must be JSON"),
    "a number of 5,000 digits": (assembled(b'{"a":' + b"9" * 5_000 + b"}", b""), "must be JSON"),
    "one key twice": (assembled(TWICE, BUFFER), "header: a key stands twice"),
    "too many tensors": (assembled(json.dumps(MANY).encode(), BUFFER), "2,055 tensors; at most"),
    "a cut file": (BLOB[:-1], "not safetensors"),
    "bytes behind the end": (BLOB + b"PK\x03\x04", "not safetensors"),
    "a name with a path": (
        header_changed(lambda h: h.update({"../../x\n": h.pop("dense0.bias")})),
        "tensor name",
    ),
    "nine dimensions": (
        header_changed(lambda h: h["dense0.bias"].update(shape=[4] + [1] * 8)),
        "at most 8 sizes",
    ),
    "half precision": (
        header_changed(lambda h: h["dense0.bias"].update(dtype="F16", shape=[8])),
        "must be of dtype F32",
    ),
    "a negative shape": (
        header_changed(lambda h: h["dense0.bias"].update(shape=[-4])),
        "not safetensors",
    ),
    "a shape that is a text": (
        header_changed(lambda h: h["dense0.bias"].update(shape="4")),
        "must have a shape",
    ),
    "no offsets": (
        header_changed(lambda h: h["dense0.bias"].pop("data_offsets")),
        "not safetensors",
    ),
    "an overlap": (
        header_changed(lambda h: h["dense0.bias"].update(data_offsets=[4, 20])),
        "not safetensors",
    ),
    "a tensor that is a number": (header_changed(lambda h: h.update({"x": 1})), "x: must have a"),
    "metadata that is a list": (
        header_changed(lambda h: h.update({"__metadata__": []})),
        "__metadata__",
    ),
    "metadata that is no text": (texts_changed("format", 3), "not safetensors|format"),
    "another format": (texts_changed("format", "neural-marketplace/9"), "format: must be"),
    "no signature": (texts_changed("signature", "null"), "signature: must be an object"),
    "names that are numbers": (
        texts_changed("signature", '{"features": [1], "classes": ["a"]}'),
        "signature.features: must be a list",
    ),
    "an image of the wrong size": (
        texts_changed("signature", '{"features":["a"],"classes":["b"],"image_shape":[2,2]}'),
        "has not 1 pixels",
    ),
    **{
        f"an image of {shape}": (
            texts_changed(
                "signature",
                json.dumps({"features": list("abcdef"), "classes": [], "image_shape": shape}),
            ),
            r"image_shape: must be \[height, width\], from 1 on",
        )
        for shape in ([0, 0], [-1, -3], [2, True])
    },
    **{
        f"data whose {key} is {value}": (
            texts_changed("config", json.dumps({"data": DATA | {key: value}})),
            f"config.data.{key}: must be",
        )
        for key, value in (
            ("input", []),
            ("input", [1, 1, 1, 6]),
            ("input", 6),
            ("input", [0]),
            ("size", 0),
            ("size", None),
            ("vocabulary", -1),
            ("vocabulary", None),
            ("target", "nothing"),
            ("target", []),
        )
    },
    "a broken config": (texts_changed("config", "{}"), "config: must be an object with data"),
    "a config without layers": (
        texts_changed("config", '{"data":{"input":[6],"target":"classes","size":3}}'),
        "config: architecture: is required",
    ),
    "no graph": (texts_changed("graph", "[]"), "graph: graph: must be an object"),
    "a graph that counts steps": (
        graph_changed(lambda g: g["nodes"][0].update(op="dropout")),
        "counts steps or draws random numbers",
    ),
    "a graph that reads ahead": (
        graph_changed(lambda g: g["nodes"][0].update(sources=[99, 1, 2])),
        "is no node before it",
    ),
    "a config key twice": (texts_changed("config", '{"a":1,"a":2}'), "config: a key stands twice"),
    "a provenance that is a list": (texts_changed("provenance", "[]"), "provenance: must be"),
    "a missing tensor": (without("dense1.bias"), "missing or not of this network: dense1.bias"),
    "a foreign tensor": (
        swapped("evil", np.zeros(3, np.float32)),
        "missing or not of this network: evil",
    ),
    "a wrong shape": (
        swapped("dense0.weight", np.zeros((4, 6), np.float32)),
        r"dense0.weight: must be float32 \(6, 4\), not float32 \(4, 6\)",
    ),
    "not a number": (with_weight(np.nan), "dense0.bias: holds numbers that are not finite"),
    "infinity": (with_weight(np.inf), "dense0.bias: holds numbers that are not finite"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_mallorys_file_is_refused(name):
    blob, message = HOSTILE[name]
    with pytest.raises(ModelRefused, match=message):
        load(blob)


@settings(max_examples=300, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(BLOB) - 1), st.integers(0, 255)), min_size=1, max_size=8
    ),
    cut=st.integers(0, len(BLOB)),
)
def test_a_damaged_file_is_refused_or_read_whole(changes, cut):
    damaged = bytearray(BLOB)
    for position, value in changes:
        damaged[position] = value
    for blob in (bytes(damaged), BLOB[:cut]):
        try:
            found = load(blob)
        except ModelRefused as refusal:
            assert str(refusal)
        else:
            assert all(np.isfinite(array).all() for array in found.weights.values())


def test_a_recipe_is_kept_and_a_model_without_one_is_written_as_ever():
    recipe = {"kind": "table", "columns": [{"name": "width", "kind": "number"}]}
    with_recipe = dump(model(signature=Signature((), (), recipe=recipe)))
    assert load(with_recipe).signature.recipe == recipe
    without = tensors.read(dump(model()))[1]["signature"]
    assert "recipe" not in json.loads(without)


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"threshold": float("nan")}, "recipe: must be JSON of finite numbers"),
        ({"values": {1, 2}}, "recipe: must be JSON of finite numbers"),
        ({"vocabulary": ["a" * 600_000]}, "recipe: 600,019 bytes; at most 524,288"),
    ],
)
def test_a_recipe_is_small_and_json(recipe, message):
    with pytest.raises(ModelRefused, match=message):
        dump(model(signature=Signature((), (), recipe=recipe)))
