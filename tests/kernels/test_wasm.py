"""A model as one `.wasm`: run by plain wasmtime it says what our sandbox says, to the bit."""

import numpy as np
import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from kernels import forward
from kernels.exchange import binary, wasm
from kernels.exchange.binary import Binary, NoModule
from kernels.exchange.wasm import ExportRefused, Texts
from kernels.graphfields import GraphRefused
from kernels.limits import TapeRefused
from tests.kernels.networks import NETWORKS, answers

TEXTS = Texts({"features": ["a", "b"], "classes": ["yes", "no"]}, {"dataset": "made up"})


def run_plainly(blob, rows):
    """As anyone would who has the file and a WebAssembly engine; nothing of ours but the JSON."""
    about = wasm.read(blob)
    store = wasmtime.Store()
    instance = wasmtime.Instance(store, wasmtime.Module(store.engine, blob), [])
    exports = instance.exports(store)
    memory = exports["memory"].get_buffer_ptr(store)
    (into,), outputs = about["inputs"], about["outputs"]
    kept = np.ctypeslib.as_array(memory, (exports["memory"].data_len(store),))
    raw = np.ascontiguousarray(rows).view(np.uint8).reshape(-1)
    kept[into["address"] : into["address"] + raw.size] = raw
    exports["predict"](store, len(rows))
    found = {}
    for place in outputs:
        shape = (place["shape"][0] * len(rows), *place["shape"][1:])
        size_bytes = 4 * int(np.prod(shape))
        part = kept[place["address"] : place["address"] + size_bytes]
        found[place["name"]] = part.view(np.float32).reshape(shape).copy()
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_plain_wasmtime_gives_the_bits_of_our_sandbox(name, module):
    network = NETWORKS[name]()
    blob = wasm.export(network.graph, network.arrays, TEXTS, module)
    rows = network.rows[: wasm.read(blob)["capacity"]]
    expected = answers(network, rows, module)
    for output, values in run_plainly(blob, rows).items():
        np.testing.assert_array_equal(values.view(np.uint32), expected[output].view(np.uint32))


def test_the_file_says_what_it_is_and_asks_for_nothing(simd):
    network = NETWORKS["dense"]()
    blob = wasm.export(network.graph, network.arrays, TEXTS, simd)
    about = wasm.read(blob)
    assert about["signature"] == TEXTS.signature
    assert about["provenance"] == TEXTS.provenance
    assert about["kernel_hash"] == simd.kernel_hash
    assert about["capacity"] == forward.capacity(forward.from_json(network.graph, 1))
    module = wasmtime.Module(wasmtime.Engine(), blob)
    assert module.imports == []
    assert sorted(export.name for export in module.exports) == ["memory", "predict"]
    assert blob == wasm.export(network.graph, network.arrays, TEXTS, simd)


def test_more_rows_than_the_capacity_are_a_trap(simd):
    network = NETWORKS["dense"]()
    blob = wasm.export(network.graph, network.arrays, TEXTS, simd)
    store = wasmtime.Store()
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, blob), []).exports(store)
    for rows in (0, wasm.read(blob)["capacity"] + 1, -1):
        with pytest.raises(wasmtime.Trap, match="unreachable"):
            exports["predict"](store, rows)


def test_parts_that_do_not_belong_together_are_refused(simd):
    network = NETWORKS["dense"]()
    fewer = dict(list(network.arrays.items())[1:])
    with pytest.raises(ExportRefused, match=r"arrays missing or not of this network: input\.mean"):
        wasm.export(network.graph, fewer, TEXTS, simd)
    wrong = network.arrays | {"input.mean": np.zeros(3)}
    with pytest.raises(ExportRefused, match=r"input\.mean: must be \(64,\), not \(3,\)"):
        wasm.export(network.graph, wrong, TEXTS, simd)
    with pytest.raises(GraphRefused):
        wasm.export({"nodes": []}, network.arrays, TEXTS, simd)


def test_a_model_that_no_sandbox_holds_is_refused(simd):
    graph = {
        "inputs": [{"name": "x", "shape": [1, 30_000], "dtype": "f4"}],
        "parameters": [{"name": "w", "shape": [30_000, 32_768], "dtype": "f4"}],
        "nodes": [{"op": "matmul_nn", "sources": [0, 1]}],
        "outputs": [{"name": "y", "node": 2}],
    }
    with pytest.raises((ExportRefused, TapeRefused)):
        wasm.export(graph, {}, TEXTS, simd)


NO_JSON = (b"", b"{", b"\xff\xfe{}", b"[" * 100_000)


def described(text):
    """A module that says this of itself, and has nothing else."""
    return Binary(custom={wasm.SECTION: text}).encode()


def test_what_is_no_exported_model_is_refused(simd):
    for blob, reason in (
        *((described(text), "section 'model': must be JSON") for text in NO_JSON),
        (described(b'["format"]'), "format: must be"),
        (b"", "magic word"),
        (binary.MAGIC + b"\x01\x7f", "cut off"),
        (binary.MAGIC + b"\x01\xff", "cut off"),
        (simd.path.read_bytes(), "no section 'model'"),
    ):
        with pytest.raises(NoModule, match=reason):
            wasm.read(blob)


def test_a_module_read_and_written_is_the_same_module(simd):
    blob = simd.path.read_bytes()
    assert Binary.parse(Binary.parse(blob).encode()) == Binary.parse(blob)


@given(st.integers(0, 2**32 - 1))
def test_numbers_are_read_as_they_were_written(value):
    assert binary.number(binary.unsigned(value), 0) == (value, len(binary.unsigned(value)))
    read, _ = binary.signed_number(binary.signed(value), 0)
    assert read % 2**32 == value
