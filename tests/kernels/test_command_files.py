"""What the commands read and write: no file is lost, and a wrong one is named."""

import io
import json

import numpy as np
import pytest

from kernels import modelfile, tensors
from kernels.__main__ import main
from kernels.commands import tables
from kernels.modelfile import Signature

TRAINING = {"epochs": 1, "batch_size": 4, "learning_rate": 0.01, "optimizer": "adam"}


def said(capsys, *arguments):
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return status, out, err


@pytest.fixture
def table(tmp_path):
    rows = np.random.default_rng(4).standard_normal((20, 2)).round(3).tolist()
    path = tmp_path / "flowers.csv"
    lines = [f"{x},{y},{'tall' if x > y else 'short'}" for x, y in rows]
    path.write_text("\n".join(["width,height,kind", *lines]) + "\n")
    return path


@pytest.fixture
def model(table, tmp_path, capsys):
    path = tmp_path / "flowers.safetensors"
    assert said(capsys, "train", table, "--model", path)[0] == 0
    return path


def test_no_command_writes_over_a_file_that_is_there(table, model, tmp_path, capsys):
    before = model.read_bytes()
    onnx = tmp_path / "flowers.onnx"
    assert said(capsys, "export", model, "--to", "onnx")[0] == 0
    there = tmp_path / "there"
    there.write_bytes(b"precious")
    for arguments in (
        ("import", onnx),
        ("train", table, "--model", model),
        ("export", model, "--to", "onnx"),
        ("quantise", model, "--output", there),
        ("prune", model, table, "--output", there),
    ):
        status, out, err = said(capsys, *arguments)
        assert (status, out) == (1, "")
        assert "is there already; name another file, or say --force" in err
    assert model.read_bytes() == before
    assert there.read_bytes() == b"precious"
    assert said(capsys, "quantise", model, "--output", there, "--force")[0] == 0
    assert modelfile.load(there.read_bytes())


def test_no_command_writes_over_what_it_reads(table, model, capsys):
    files = {path: path.read_bytes() for path in (table, model)}
    for arguments in (
        ("train", table, "--model", table),
        ("export", model, "--to", "safetensors"),
        ("quantise", model, "--output", model.parent / "." / model.name),
        ("prune", model, table, "--output", table),
    ):
        status, _, err = said(capsys, *arguments, "--force")
        assert status == 1
        assert "is what is read; name another file to write to" in err
    assert {path: path.read_bytes() for path in files} == files


def test_a_target_is_looked_at_before_the_training(table, tmp_path, capsys):
    for target, message in (
        (tmp_path / "none" / "m.safetensors", "there is no folder"),
        (tmp_path, "is a folder; name a file in it"),
    ):
        status, out, err = said(capsys, "train", table, "--model", target)
        assert (status, out) == (1, "")
        assert message in err


@pytest.mark.parametrize(
    ("architecture", "features"),
    [
        ({"type": "autoencoder", "layers": [{"type": "dense", "units": 1}]}, ("width", "height")),
        ({"type": "gan", "latent": 3, "layers": [{"type": "dense", "units": 4}]}, ()),
    ],
)
def test_what_answers_no_class_is_written_without_their_names(
    architecture, features, table, tmp_path, capsys
):
    config, target = tmp_path / "config.json", tmp_path / "made.safetensors"
    config.write_text(json.dumps({"architecture": architecture, "training": TRAINING}))
    status, _, err = said(capsys, "train", table, "--config", config, "--model", target)
    assert (status, err) == (0, "")
    signature = modelfile.load(target.read_bytes()).signature
    assert (signature.features, signature.classes) == (features, ())


def test_a_file_of_another_kind_is_named(table, model, tmp_path, capsys):
    plain = tmp_path / "plain.safetensors"
    plain.write_bytes(tensors.write({"w": np.ones(2, np.float32)}, {}))
    for arguments, message in (
        (("run", table), "flowers.csv: is no model file"),
        (("profile", table), "flowers.csv: is no model file"),
        (("explain", plain), "it holds weights and no network; `import` it with --config"),
        (("import", plain), "plain weights need --config"),
        (("import", model), "a model file can be used as it is"),
        (("train", model), "flowers.safetensors: is no text"),
        (("run", tmp_path / "none"), f"{tmp_path}/none: No such file or directory\n"),
        (("run", tmp_path), f"{tmp_path}: Is a directory\n"),
        (("export", ".", "--to", "onnx"), ".: Is a directory\n"),
    ):
        status, out, err = said(capsys, *arguments)
        assert (status, out) == (1, "")
        assert message in err


def test_prune_tells_columns_and_classes_by_their_names(table, model, tmp_path, capsys):
    """Columns in another order are the same data, and so the same model comes out."""
    lines = [line.split(",") for line in table.read_text().split()]
    turned = tmp_path / "turned.csv"
    turned.write_text("\n".join(f"{y},{x},{kind}" for x, y, kind in lines))
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert said(capsys, "prune", model, table, "--output", first)[0] == 0
    assert said(capsys, "prune", model, turned, "--output", second)[0] == 0
    assert first.read_bytes() == second.read_bytes()
    for old, new, message in (
        ("height", "depth", "missing: 'height'; not known to it: 'depth'"),
        ("short", "small", "the model does not know the classes 'small'; it knows 'short', 'tall'"),
    ):
        turned.write_text(table.read_text().replace(old, new))
        status, _, err = said(
            capsys, "prune", model, turned, "--output", tmp_path / "third.safetensors"
        )
        assert status == 1
        assert message in err


def test_classes_are_counted_as_the_model_does(tmp_path):
    """The second and the third class of a model stay its second and third."""
    path = tmp_path / "some.csv"
    path.write_text("\n".join(["x,y,kind", *["1,2,b", "3,4,c"] * 3]))
    found = tables.read_csv(path).fitted(Signature(("y", "x"), ("a", "b", "c")))
    assert found.labels.tolist() == [1, 2] * 3
    assert found.values[:2].tolist() == [[2, 1], [4, 3]]
    assert found.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[1" + 6000 * "0" + ", 1]]", "row 0: holds a number that is not finite"),
        (100_000 * "[", "must be JSON that is not nested as deeply"),
        ("[[1, 2]", "must be JSON, and is not from line 1, column 8 on"),
        ('{"x": 1}', "must be a list of rows, or an object with it under 'rows'"),
        ("[]", "must be at least one row"),
    ],
)
def test_standard_input_is_answered_in_plain_words(text, message, model, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    status, out, err = said(capsys, "run", model)
    assert (status, out) == (1, "")
    assert message in err
