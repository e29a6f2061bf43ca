"""The benchmark: that it times what it says, and says what it could not time."""

import json
import sys

import pytest

from kernels import bench
from kernels.__main__ import main
from kernels.bench import (
    models,
    predictions,
    products,
    steps,
    table,
    torch_steps,
    turns,
    web,
    workloads,
)
from kernels.ops import TABLE


@pytest.mark.parametrize("name", TABLE)
def test_a_case_runs_as_often_as_a_turn_wants(name):
    """Each op's example stays within its data: an effect that runs out of rows would trap."""
    node, memory = table.case(name)
    assert table.op_turn("simd", node, memory, table.CASES.get(name, table.Case()).steps)() > 0


def test_contestants_take_turns_and_the_first_round_is_warm_up():
    said = []
    times = {"a": iter([100.0, 1.0, 2.0, 9.0]), "b": iter([100.0, 3.0, 3.0, 4.0])}

    def contestant(name):
        return lambda: said.append(name) or next(times[name])

    found = turns.in_turns({name: contestant(name) for name in times}, rounds=3)
    assert said == ["a", "b"] * 4
    assert found == {"a": 2.0, "b": 3.0}


def test_a_turn_repeats_until_it_is_long_enough_to_be_timed():
    asked = []
    turn = turns.repeated(lambda repeats: asked.append(repeats), turn_seconds=0)
    assert turn() >= 0
    assert asked == [1, 1]  # no time at all is asked for: the first attempt is enough


def test_an_op_is_compared_between_the_two_modules():
    """Four lanes against one, five times as fast where nothing else is at work."""
    found = table.compare("matmul_nn", *table.case("matmul_nn"))
    assert 0 < 1.5 * found["simd_us"] < found["scalar_us"]
    assert found["ratio"] > 1.5


def test_a_training_step_is_timed_without_its_peer(capsys):
    row = steps.measure_workload(workloads.WORKLOADS[0], has_torch=False)
    assert row["here_us"] > 0
    assert (row["peer_us"], row["ratio"]) == (None, None)
    text = steps.lines({"peer": None, "rows": [row]})
    assert text[0] == "one training step against PyTorch, which is not installed here"
    assert "64-128-10" in text[1]


def test_the_command_answers_one_object_and_words(monkeypatch, capsys):
    monkeypatch.setattr(products, "SHAPES", ((32, 32, 32),))  # the real ones take a second each
    assert main(["bench", "--only", "products", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["products"]["rows"][0]["name"] == "32x32x32"
    row = found["products"]["rows"][0]
    assert row["ratio"] == pytest.approx(row["gflops"] / found["products"]["peak_gflops"])
    text = "\n".join(bench.lines(found))
    assert "32x32x32" in text


def test_a_prediction_is_timed_without_its_peer():
    row = predictions.measure_model(models.exported(workloads.WORKLOADS[0]), has_peer=False)
    assert row["here_us"] > 0
    assert (row["peer_us"], row["ratio"]) == (None, None)
    text = predictions.lines({"peer": None, "rows": [row]})
    assert text[0].endswith("ONNX Runtime, which is not installed here")


def test_a_peer_that_cannot_be_had_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = web.measure()
    assert (found["peer"], found["rows"]) == (None, [])
    assert web.lines(found) == [
        "inference in Node: nothing to compare with: Node and npm are not installed here"
    ]


def test_a_program_that_fails_says_why():
    with pytest.raises(web.NotHere, match="failed: ZeroDivisionError: division by zero"):
        web.run([sys.executable, "-c", "1 / 0"])


@pytest.mark.parametrize("workload", workloads.WORKLOADS[:-1], ids=lambda of: of.network)
def test_a_workload_trains_and_leaves_in_every_format(workload):
    """All but the largest, whose one step takes half a second."""
    found = models.exported(workload)
    assert found.wasm[:4] == b"\0asm"
    assert len(found.onnx) > 1_000
    assert found.rows.shape == (workload.batch_rows, *workload.input)


def test_every_workload_has_its_peer():
    assert len(torch_steps.NETWORKS) == len(workloads.WORKLOADS)


def test_what_is_below_its_floor_is_named():
    steps_part = {
        "rows": [
            {"name": "a", "ratio": 0.5, "floor": 0.6},
            {"name": "b", "ratio": 0.7, "floor": 0.6},
            {"name": "c", "ratio": None, "floor": 0.6},
        ]
    }
    assert bench.shortfalls("steps", steps_part) == ["steps: a, 0.50 of 0.6"]
    ops_part = {
        "floor": 4.0,
        "floor_each": 1.5,
        "geometric_mean": 3.0,
        "rows": [
            {"name": "d", "ratio": 1.2, "counts": True},
            {"name": "e", "ratio": 1.0, "counts": False},
            {"name": "f", "ratio": 2.0, "counts": True},
        ],
    }
    assert bench.shortfalls("ops", ops_part) == [
        "ops: the geometric mean, 3.00 of 4",
        "ops: d, 1.20 of 1.5",
    ]
