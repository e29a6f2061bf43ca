"""mallory brings files that mean harm; each is found by the check that is there for it."""

import json
import time

import pytest

from kernels import build, modelfile
from kernels.exchange import onnx_writer, wasm
from kernels.exchange.wasm import Texts
from tests.kernels.networks import NETWORKS
from tests.training.corpus import FILES, NAMES, good_safetensors, zipped
from training.runner import pickles, scans


@pytest.mark.parametrize("what", FILES)
def test_what_mallory_brings_is_found(what):
    name, content, check = FILES[what]
    started_at = time.monotonic()
    report = scans.scan(name, content)
    assert report["state"] == "flagged", report
    assert check in {finding["check"] for finding in report["findings"]}, report
    assert all(finding["message"] for finding in report["findings"])
    assert time.monotonic() - started_at < 5
    json.dumps(report, allow_nan=False)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_reads_otherwise_than_it_is_is_found(name):
    report = scans.scan(name, good_safetensors())
    assert [finding["check"] for finding in report["findings"]] == ["name"] * len(
        report["findings"]
    )
    assert report["state"] == "flagged"


def test_alices_files_are_clean():
    model = modelfile.load(good_safetensors())
    texts = Texts(vars(model.signature), {})
    files = {
        "m.safetensors": good_safetensors(),
        "m.onnx": onnx_writer.export(model.graph, model.arrays, texts),
        "m.wasm": wasm.export(model.graph, model.arrays, texts, build.module()),
    }
    for name, content in files.items():
        report = scans.scan(name, content)
        assert (report["state"], report["findings"]) == ("clean", []), name
        assert report["size_bytes"] == len(content)
        assert report["not_tried"]  # what is not looked for is said


def test_no_length_of_a_header_reads_as_a_pickle():
    """A safetensors file begins with its header's length, which may be letters of a pickle."""
    for length in range(8, 65_536, 8):
        content = length.to_bytes(8, "little") + b'{"__metadata__":{' + bytes(200)
        assert not pickles.is_pickle(content), length


def test_networks_of_every_kind_are_clean():
    for name, make in NETWORKS.items():
        network = make()
        model = modelfile.Model(network.graph, modelfile.Signature((), ()), network.arrays)
        assert scans.scan("m.safetensors", modelfile.dump(model))["state"] == "clean", name


def test_what_a_pickle_would_import_is_named():
    name, content, _ = FILES["a pickle under another name"]
    messages = [finding["message"] for finding in scans.scan(name, content)["findings"]]
    assert any("print" in message for message in messages)


def test_a_scan_that_breaks_is_an_error_and_not_clean():
    """It says that it is a tar archive, and the table of its members cannot be read."""
    report = scans.scan("m.safetensors", bytes(257) + b"ustar" + b"\xff" * 250)
    assert report["state"] == "error"
    assert "the scan came to no end: ReadError" in report["findings"][-1]["message"]


def test_a_locked_member_of_a_zip_is_not_trusted():
    content = bytearray(zipped(("weights.txt", b"harmless")))
    for at in (content.find(b"PK\x01\x02") + 8, 6):
        content[at] |= 1  # encrypted, says the flag
    report = scans.scan("m.zip", bytes(content))
    assert any("is a pickle" in finding["message"] for finding in report["findings"])
