"""`python -m kernels`: one object with --json, words without, a sentence when it fails."""

import io
import json

import numpy as np
import pytest

from kernels import config, modelfile, tensors
from kernels.__main__ import main
from kernels.modelfile import Signature
from kernels.trainer import Trainer
from tests.kernels import test_golden


@pytest.fixture
def flowers(tmp_path):
    """Sixty rows of two classes that a line can part."""
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((60, 2)).round(3)
    lines = [f"{x},{y},{'tall' if x > y else 'short'}" for x, y in rows.tolist()]
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(["width,height,kind", *lines]) + "\n")
    return path


def said(capsys, *arguments):
    status = main(arguments)
    out, err = capsys.readouterr()
    return status, out, err


def test_train_writes_a_model_that_loads(flowers, tmp_path, capsys):
    target = tmp_path / "flowers.safetensors"
    status, out, _ = said(capsys, "train", str(flowers), "--json", "--model", str(target))
    found = json.loads(out)
    assert status == 0
    assert [point["epoch"] for point in found["points"]] == list(range(1, 21))
    assert found["points"][-1]["validation_metric"] > 0.8
    model = modelfile.load(target.read_bytes())
    assert model.signature.features == ("width", "height")
    assert model.signature.classes == ("short", "tall")
    assert modelfile.weights_sha256(model.weights) == found["weights_sha256"]
    _, again, _ = said(capsys, "train", str(flowers), "--json", "--variant", "scalar")
    assert json.loads(again) == found
    _, other, _ = said(capsys, "train", str(flowers), "--json", "--seed", "8")
    assert json.loads(other)["weights_sha256"] != found["weights_sha256"]


def test_training_speaks_to_people_too(flowers, capsys):
    status, out, _ = said(capsys, "train", str(flowers))
    assert status == 0
    assert out.startswith("epoch 1: loss ")
    assert "weights " in out.splitlines()[-1]


def test_inspect_shows_the_tape(capsys):
    status, out, _ = said(capsys, "inspect", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["parameters"] == 9_610
    assert found["programs"]["train"][-1] == "adam"
    assert found["scratch_bytes"] < found["scratch_bytes_without_reuse"]
    _, out, _ = said(capsys, "inspect")
    assert "dense " in out


def test_build_names_the_kernel(simd, capsys):
    _, out, _ = said(capsys, "build", "--json")
    assert json.loads(out)["kernel_hash"] == simd.kernel_hash


@pytest.mark.parametrize(
    ("heading", "row", "message"),
    [
        ("a,b,kind", "1,x,y", "flowers.csv, line 2: 'x' in the column 'b' is no number"),
        ("a,b,kind", "1,y", "flowers.csv, line 2: has 2 columns, the heading 3"),
        ("kind", "y", "must have a heading, 2 to 2000 columns"),
        ("a,b,kind", "nan,1,y", "flowers.csv, line 2: 'nan' in the column 'a' is no number"),
    ],
)
def test_a_file_that_cannot_be_read_is_answered_in_a_sentence(
    heading, row, message, flowers, capsys
):
    flowers.write_text("\n".join([heading, *[row] * 10]))
    status, out, err = said(capsys, "train", str(flowers), "--json")
    assert (status, out) == (1, "")
    assert message in err


def test_a_config_that_is_wrong_is_answered_by_path(flowers, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text('{"architecture": {"type": "gain", "layers": [{}]}, "training": {}}')
    status, _, err = said(capsys, "train", str(flowers), "--config", str(path))
    assert status == 1
    assert "architecture.type: 'gain' is not known; did you mean 'gan'?" in err
    assert "training.epochs: is required" in err
    path.write_text("{")
    assert "must be JSON" in said(capsys, "train", str(flowers), "--config", str(path))[2]
    assert said(capsys, "train", str(tmp_path / "none.csv"))[0] == 1


# ---------------------------------------------------------------------------------- model files


@pytest.fixture
def model(flowers, tmp_path, capsys):
    path = tmp_path / "flowers.safetensors"
    assert said(capsys, "train", str(flowers), "--model", str(path))[0] == 0
    return path


def asked(monkeypatch, capsys, rows, *arguments):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(rows)))
    return said(capsys, *arguments)


def test_run_answers_the_rows_of_standard_input(model, monkeypatch, capsys):
    rows = [[2.0, -2.0], [-2.0, 2.0]]
    status, out, _ = asked(monkeypatch, capsys, rows, "run", str(model), "--json")
    found = json.loads(out)
    assert status == 0
    assert found["labels"] == ["tall", "short"]
    assert np.array(found["probabilities"]).shape == (2, 2)
    _, out, _ = asked(monkeypatch, capsys, {"rows": rows}, "run", str(model))
    assert out.split() == ["tall", "short"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1.0, 2.0, 3.0]], "rows: must be (n, 2), not (1, 3)"),
        ([[1.0, 2.0], [1.0]], "standard input: each row must hold as many numbers as the first"),
        (
            {"lines": []},
            "standard input: must be a list of rows, or an object with it under 'rows'",
        ),
        ([["a", "b"]], "and rows must hold numbers"),
        (5, "standard input: must be a list of rows"),
    ],
)
def test_rows_that_do_not_fit_are_answered_in_a_sentence(
    given, message, model, monkeypatch, capsys
):
    status, out, err = asked(monkeypatch, capsys, given, "run", str(model), "--json")
    assert (status, out) == (1, "")
    assert message in err


def test_explain_says_which_feature_spoke_for_the_answer(model, monkeypatch, capsys):
    rows = [[2.0, 0.0], [0.0, 2.0]]
    status, out, _ = asked(monkeypatch, capsys, rows, "explain", str(model), "--json")
    found = json.loads(out)["rows"]
    assert status == 0
    assert [row["output"] for row in found] == [1, 0]  # short, tall
    assert abs(found[0]["contributions"][0]) > 5 * abs(found[0]["contributions"][1])
    assert abs(found[0]["missing"]) < 0.05 * abs(found[0]["score"] - found[0]["baseline_score"])
    _, out, _ = asked(monkeypatch, capsys, rows, "explain", str(model), "--output", "0")
    assert out.splitlines()[0].startswith("output 0: score ")
    assert out.splitlines()[1].startswith("  width: ")


def test_inspect_and_profile_know_a_model_from_a_configuration(model, tmp_path, capsys):
    found = json.loads(said(capsys, "inspect", str(model), "--json")[1])
    assert found["inputs"] == {"input": ["f4", 1, 2]}
    assert found["outputs"] == {"probabilities": [1, 2]}
    assert found["signature"]["classes"] == ["short", "tall"]
    assert found["provenance"]["data"] == "flowers.csv"
    path = tmp_path / "sequences.json"
    layers = [{"type": "lstm", "units": 6}]
    training = {"epochs": 2, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"}
    raw = {"architecture": {"type": "lstm", "layers": layers}, "training": training}
    path.write_text(json.dumps(raw))
    data = ["--input", "5,3", "--outputs", "2", "--rows", "64"]
    found = json.loads(said(capsys, "inspect", str(path), *data, "--json")[1])
    assert "lstm" in found["programs"]["train"]
    found = json.loads(said(capsys, "profile", str(path), *data, "--json")[1])
    assert found["program"] == "train"
    assert {"lstm0", "dense1", "training"} <= {row["layer"] for row in found["layers"]}
    found = json.loads(said(capsys, "profile", str(model), "--batch", "16", "--json")[1])
    assert (found["program"], found["rows"]) == ("predict", 16)
    assert "layer  " in said(capsys, "profile", str(model))[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--input", "5x3"], "--input: '5x3' is no shape"),
        (["--input", "0"], "must be from 1 to"),
        (["--rows", "0"], "must be from 1 to"),
    ],
)
def test_data_that_cannot_be_are_answered_in_a_sentence(arguments, message, capsys):
    status, _, err = said(capsys, "inspect", *arguments)
    assert status == 1
    assert message in err


def test_quantise_and_prune_make_models_that_still_answer(
    model, flowers, tmp_path, monkeypatch, capsys
):
    small, sparse = tmp_path / "small.safetensors", tmp_path / "sparse.safetensors"
    found = json.loads(said(capsys, "quantise", str(model), "--output", str(small), "--json")[1])
    assert found["bytes"] == small.stat().st_size
    arguments = [str(model), str(flowers), "--output", str(sparse), "--fraction", "0.5"]
    found = json.loads(said(capsys, "prune", *arguments, "--json")[1])
    assert found["sparsity"]["dense0.weight"] == 0.5
    for path in (small, sparse):
        _, out, _ = asked(monkeypatch, capsys, [[2.0, -2.0], [-2.0, 2.0]], "run", str(path))
        assert out.split() == ["tall", "short"]
    again = tmp_path / "again.safetensors"
    status, _, err = said(capsys, "quantise", str(small), "--output", str(again))
    assert status == 1
    assert "has no product" in err


def test_a_model_goes_out_as_onnx_and_comes_back(model, tmp_path, monkeypatch, capsys):
    for kind in ("onnx", "wasm", "safetensors"):
        target = tmp_path / f"out.{kind}"
        arguments = ["export", str(model), "--to", kind, "--output", str(target), "--json"]
        assert json.loads(said(capsys, *arguments)[1])["bytes"] == target.stat().st_size
    assert (tmp_path / "out.wasm").read_bytes()[:4] == b"\0asm"
    assert (tmp_path / "out.safetensors").read_bytes() == model.read_bytes()
    assert said(capsys, "import", str(tmp_path / "out.onnx"), "--force")[0] == 0
    _, out, _ = asked(
        monkeypatch, capsys, [[2.0, -2.0], [-2.0, 2.0]], "run", str(tmp_path / "out.safetensors")
    )
    assert out.split() == ["tall", "short"]
    status, _, err = said(capsys, "import", str(tmp_path / "out.wasm"))
    assert (status, err) == (1, "this is no ONNX file\n")


def test_plain_weights_are_taken_in_with_their_configuration(tmp_path, capsys, monkeypatch):
    """Two features, two classes, and a weight that swaps them."""
    weights = tmp_path / "plain.safetensors"
    swap = np.array([[0, 1], [1, 0]], np.float32)
    arrays = {"dense0.weight": swap, "dense0.bias": np.zeros(2, np.float32)}
    weights.write_bytes(tensors.write(arrays, {}))
    written = {
        "architecture": {"type": "feedforward", "layers": [{"type": "output", "size": 2}]},
        "training": {"epochs": 1, "batch_size": 2, "learning_rate": 0.1, "optimizer": "adam"},
        "data": {"input": [2], "target": "classes", "size": 2},
    }
    config = tmp_path / "network.json"
    config.write_text(json.dumps(written))
    assert said(capsys, "import", str(weights), "--config", str(config))[0] == 0
    model = str(tmp_path / "plain.model.safetensors")
    found = asked(monkeypatch, capsys, [[3, 0], [0, 3]], "run", model, "--json")[1]
    found = np.array(json.loads(found)["probabilities"])
    assert found.argmax(axis=1).tolist() == [1, 0]


def test_a_file_that_is_no_model_is_refused(tmp_path, capsys):
    path = tmp_path / "broken.safetensors"
    path.write_bytes(b"no model")
    for command in ("run", "inspect", "explain"):
        status, _, err = said(capsys, command, str(path))
        assert status == 1
        assert "broken.safetensors: is no model file" in err


def test_a_decoder_writes_on_and_says_no_to_what_it_does_not_know(
    simd, model, tmp_path, monkeypatch, capsys
):
    raw, shape, rows = test_golden.written("decoder")
    run = Trainer(config.parse(raw, shape), rows, seed=1, module=simd)
    list(run.run())
    path = tmp_path / "decoder.safetensors"
    names = tuple(f"word{number}" for number in range(17))
    path.write_bytes(run.export(Signature((), (), vocabulary=names), {}))
    length = ("--length", "30", "--seed", "3")
    status, out, _ = asked(monkeypatch, capsys, [3, 10], "write", str(path), "--json", *length)
    found = json.loads(out)
    assert status == 0
    assert len(found["tokens"]) == 30
    assert found["text"] == [names[token] for token in found["tokens"]]
    again = asked(monkeypatch, capsys, [3, 10], "write", str(path), "--json", *length)[1]
    assert json.loads(again) == found
    for prompt, message in (([17], "from 0 to 16"), ([], "at least one"), ("a", "a list of tok")):
        status, _, err = asked(monkeypatch, capsys, prompt, "write", str(path))
        assert status == 1
        assert message in err
    assert "foretells no next token" in asked(monkeypatch, capsys, [1], "write", str(model))[2]
