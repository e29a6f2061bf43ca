"""`python -m kernels`: one object with --json, words without, a sentence when it fails."""

import json

import numpy as np
import pytest

from kernels import modelfile
from kernels.__main__ import main


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


def test_run_trains_and_writes_a_model_that_loads(flowers, tmp_path, capsys):
    target = tmp_path / "flowers.safetensors"
    status, out, _ = said(capsys, "run", str(flowers), "--json", "--model", str(target))
    found = json.loads(out)
    assert status == 0
    assert [point["epoch"] for point in found["points"]] == list(range(1, 21))
    assert found["points"][-1]["validation_metric"] > 0.8
    model = modelfile.load(target.read_bytes())
    assert model.signature.features == ("width", "height")
    assert model.signature.classes == ("short", "tall")
    assert modelfile.weights_sha256(model.weights) == found["weights_sha256"]
    _, again, _ = said(capsys, "run", str(flowers), "--json", "--variant", "scalar")
    assert json.loads(again) == found
    _, other, _ = said(capsys, "run", str(flowers), "--json", "--seed", "8")
    assert json.loads(other)["weights_sha256"] != found["weights_sha256"]


def test_run_speaks_to_people_too(flowers, capsys):
    status, out, _ = said(capsys, "run", str(flowers))
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
        ("a,b,kind", "1,x,y", "flowers.csv, line 2: could not convert string to float: 'x'"),
        ("a,b,kind", "1,y", "flowers.csv, line 2: has 2 columns, the heading 3"),
        ("kind", "y", "must have a heading, 2 to 2000 columns"),
        ("a,b,kind", "nan,1,y", "train_rows: row 0 holds a number that is not finite"),
    ],
)
def test_a_file_that_cannot_be_read_is_answered_in_a_sentence(
    heading, row, message, flowers, capsys
):
    flowers.write_text("\n".join([heading, *[row] * 10]))
    status, out, err = said(capsys, "run", str(flowers), "--json")
    assert (status, out) == (1, "")
    assert message in err


def test_a_config_that_is_wrong_is_answered_by_path(flowers, tmp_path, capsys):
    path = tmp_path / "config.json"
    path.write_text('{"architecture": {"type": "gain", "layers": [{}]}, "training": {}}')
    status, _, err = said(capsys, "run", str(flowers), "--config", str(path))
    assert status == 1
    assert "architecture.type: 'gain' is not known; did you mean 'gan'?" in err
    assert "training.epochs: is required" in err
    path.write_text("{")
    assert "must be JSON" in said(capsys, "run", str(flowers), "--config", str(path))[2]
    assert said(capsys, "run", str(tmp_path / "none.csv"))[0] == 1
