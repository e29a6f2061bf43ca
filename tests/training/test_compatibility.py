"""A model answers elsewhere as it does here, and what was not tried is not said to have passed."""

import json
import shutil

import numpy as np
import pytest

from kernels import build, modelfile
from kernels.modelfile import Model, Signature
from tests.kernels.networks import NETWORKS
from training.runner import compatibility

NODE = shutil.which("node")


def states(report) -> dict[str, str]:
    return {one["where"]: one["state"] for one in report["runtimes"]}


def packed(name: str):
    """A model file of one of the networks of every kind, and rows for it."""
    network = NETWORKS[name]()
    content = modelfile.dump(Model(network.graph, Signature((), ()), network.arrays))
    return content, network.rows


@pytest.fixture(autouse=True)
def _built():
    build.module()


# Above a second: Node starts, the module is compiled for each runtime anew.
@pytest.mark.parametrize(
    "name", ["dense", "encoder of text", "pictures", "lstm of each step", "quantised"]
)
def test_alice_reads_that_her_model_answers_the_same_bits_elsewhere(name):
    report = compatibility.compatibility(*packed(name))
    found = states(report)
    assert found["Scalar module"] == found["wasmtime"] == "identical"
    assert found["Node"] == ("identical" if NODE else "not tried")
    assert found["ONNX Runtime"] in ("identical", "close")
    assert found["Browser"] == "not tried"
    assert report["state"] == "passed"
    json.dumps(report, allow_nan=False)


def test_more_rows_than_are_needed_are_not_asked():
    content, rows = packed("dense")
    report = compatibility.compatibility(content, np.concatenate([rows] * 20))
    assert report["rows"] == compatibility.ROWS_MAX


def test_a_runtime_that_is_missing_is_said_to_be_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(compatibility.importlib.util, "find_spec", lambda name: None)
    report = compatibility.compatibility(*packed("dense"))
    assert states(report)["Node"] == states(report)["ONNX Runtime"] == "not tried"
    assert report["state"] == "passed"


def test_alice_reads_how_her_file_ended_node_and_no_path_of_ours(monkeypatch, tmp_path):
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho Error: /srv/ours/static/predict.mjs >&2\nexit 3\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    report = compatibility.compatibility(*packed("dense"))
    [said] = [one for one in report["runtimes"] if one["where"] == "Node"]
    assert (said["state"], report["state"]) == ("failed", "failed")
    assert said["detail"] == "the file that Node loads ended it without answers (code 3)"


def test_bits_that_differ_are_told_where_bits_were_promised():
    expected = {"y": np.array([[1.0, 2.0]], np.float32)}
    near = {"y": np.nextafter(expected["y"], np.float32(3))}
    far = {"y": expected["y"] * np.float32(1.01)}
    states = [
        compatibility.compared(where, "", found, expected).state
        for where in ("wasmtime", "ONNX Runtime")
        for found in (expected, near, far)
    ]
    assert states == ["identical", "different", "different", "identical", "close", "different"]


def test_answers_under_other_names_are_different():
    one = {"y": np.zeros((1, 1), np.float32)}
    found = compatibility.compared("wasmtime", "", {"z": one["y"]}, one)
    assert found.state == "different"
