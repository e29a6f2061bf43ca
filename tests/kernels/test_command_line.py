"""`python -m kernels` as a process: pipes that close, locales, and who stops it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kernels import build
from kernels.__main__ import main

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "blumen.csv"
    rows = [f"{x},{x % 3},{'größer' if x % 2 else 'kleiner'}" for x in range(20)]
    path.write_text("\n".join(["länge,breite,art", *rows]), encoding="utf-8")
    return path


def ran(*arguments, **options):
    command = [sys.executable, "-m", "kernels", *map(str, arguments)]
    return subprocess.run(  # noqa: S603 (the command is ours)
        command, cwd=ROOT, stderr=subprocess.PIPE, timeout=120, check=False, **options
    )


def test_a_reader_who_leaves_is_no_fault(simd):
    reading, writing = os.pipe()
    os.close(reading)
    done = ran("inspect", stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, b"")


def test_a_full_disk_is_told_once(simd):
    with Path("/dev/full").open("wb") as full:
        done = ran("inspect", stdout=full)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ["[Errno 28] No space left on device"]


def test_closed_streams_are_answered_in_a_sentence(table, tmp_path, monkeypatch, capsys):
    model = str(tmp_path / "blumen.safetensors")
    assert main(["train", str(table), "--model", model]) == 0
    monkeypatch.setattr("sys.stdin", None)
    assert main(["run", model]) == 1
    assert capsys.readouterr().err == "standard input: is closed; hand over JSON\n"
    monkeypatch.setattr("sys.stdout", None)
    assert main(["inspect"]) == 1
    assert capsys.readouterr().err.startswith("standard output: is closed")


def test_text_is_utf8_whatever_the_locale(table, tmp_path):
    """Four processes of half a second each: a locale holds from the start."""
    plain = os.environ | {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    model = tmp_path / "blumen.safetensors"
    done = ran("train", table, "--model", model, env=plain, stdout=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")
    done = ran("run", model, env=plain, input=b"[[1, 1]]", stdout=subprocess.PIPE)
    assert done.stdout.decode("utf-8").strip() in ("größer", "kleiner")
    done = ran("run", model, env=plain, input=b"\xff\xfe", stdout=subprocess.PIPE)
    assert done.stderr == b"standard input: must be UTF-8\n"
    done = ran("inspect", model, env=plain, stdout=subprocess.PIPE)
    assert "länge" in done.stdout.decode("utf-8")


class Impatient(io.StringIO):
    """Someone who presses Ctrl-C when the third line comes."""

    def write(self, text):
        if self.getvalue().count("\n") == 2:
            raise KeyboardInterrupt
        return super().write(text)


def test_training_tells_each_epoch_and_how_far_it_came(table, tmp_path, monkeypatch, capsys):
    """16 rows in one batch: 20 epochs are 20 steps."""
    model, watched = tmp_path / "blumen.safetensors", Impatient()
    monkeypatch.setattr("sys.stdout", watched)
    assert main(["train", str(table), "--model", str(model)]) == 130
    assert capsys.readouterr().err == "stopped at step 3 of 20; no model was written\n"
    told = [line.split(":")[0] for line in watched.getvalue().splitlines()]
    assert told == ["epoch 1", "epoch 2"]
    assert not model.exists()


def test_the_epochs_of_json_are_told_beside_it(table, capsys):
    assert main(["train", str(table), "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["points"]) == 20
    assert [line.split(":")[0] for line in err.splitlines()] == [f"epoch {n}" for n in range(1, 21)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["profile", "--rows", "1000000000"], "--rows: must be from 1 to 100,000,000"),
        (["profile", "--rows", "90000000"], "--rows: 90,000,000 rows of 64 numbers are too many"),
        (["profile", "--batch", "-5"], "--batch: must be from 1 to 1,000,000, not -5"),
        (["write", "any", "--length", "1000000000"], "--length: must be from 1 to 100,000"),
        (["inspect", "--seed", "-1"], "--seed: must be from 0 to 18,446,744,073,709,551,615"),
        (["inspect", "--outputs", "0"], "--outputs: must be from 1 to"),
        (["inspect", "--vocabulary", "-1"], "--vocabulary: must be from 0 to"),
        (["inspect", "--input", "0"], "--input: must be from 1 to"),
    ],
)
def test_numbers_out_of_their_range_are_refused_by_name(arguments, message, capsys):
    assert main(arguments) == 1
    assert message in capsys.readouterr().err


def test_inspecting_a_model_says_the_same_each_time(table, tmp_path, capsys):
    """Arrays come in the order of their names, not in that of a hash table."""
    model = str(tmp_path / "blumen.safetensors")
    assert main(["train", str(table), "--model", model]) == 0
    capsys.readouterr()
    assert main(["inspect", model, "--json"]) == 0
    names = list(json.loads(capsys.readouterr().out)["arrays"])
    assert len(names) == 6
    assert names == sorted(names)


def test_builds_lie_where_the_site_keeps_its_own():
    assert build.folder_of({"DATA_DIR": "/data"}) == Path("/data/kernels")
    assert build.folder_of({"DATA_DIR": "/data", "KERNELS_DIR": "/built"}) == Path("/built")
    assert build.folder_of({"DATA_DIR": ""}) == ROOT / "var" / "kernels"
