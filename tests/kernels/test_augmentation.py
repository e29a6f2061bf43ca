"""Pictures that are changed at random while a network trains on them, and nowhere else."""

import numpy as np
import pytest

from kernels import config, programs, reference
from kernels.data import DataShape, Target, TrainingData
from kernels.graph import in_order, leaf
from kernels.ops import apply
from kernels.philox import stream
from kernels.trainer import Trainer

PICTURES = DataShape((6, 5, 2), Target.CLASSES, 3)
ALL = {"shift": 2, "flip": True, "contrast": 0.3, "brightness": 0.2}
CONV = [{"type": "conv2d", "filters": 4, "kernel_size": 3}]


def raw(augmentation, kind="feedforward", layers=CONV, **training):
    settings = {"epochs": 3, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"}
    architecture = {"type": kind, "layers": layers}
    return {
        "architecture": architecture,
        "training": settings | {"augmentation": augmentation} | training,
    }


def data(rows=20):
    rng = np.random.default_rng(4)
    pictures = rng.random((rows + 8, *PICTURES.input)).astype(np.float32)
    classes = rng.integers(0, 3, rows + 8).astype(np.uint32)
    return TrainingData(pictures[:rows], classes[:rows], pictures[rows:], classes[rows:])


def changed(pictures, step=0, **asked):
    """What the plain version makes of them."""
    attributes = {"shift": 0, "flip": 0, "contrast": 0.0, "brightness": 0.0} | asked
    source = leaf("x", pictures.shape)
    node = apply("augment", source, attributes=attributes | stream(1, 10))
    memory = {source: pictures}
    reference.run([node], memory, step)
    return memory[node]


def test_a_moved_picture_shows_the_same_but_for_its_edges():
    picture = np.arange(1, 26, dtype=np.float32).reshape(1, 5, 5, 1)
    found = changed(np.repeat(picture, 200, axis=0), shift=1)
    kept = {tuple(each[1:-1, 1:-1, 0].ravel()) for each in found}
    windows = {
        tuple(picture[0, 1 + down : 4 + down, 1 + right : 4 + right, 0].ravel())
        for down in (-1, 0, 1)
        for right in (-1, 0, 1)
    }
    assert kept == windows
    assert set(np.unique(found)) <= set(picture.ravel())


def test_every_second_picture_is_mirrored():
    picture = np.arange(12, dtype=np.float32).reshape(1, 2, 3, 2)
    found = changed(np.repeat(picture, 400, axis=0), flip=1)
    mirrored = (found == picture[:, :, ::-1]).all(axis=(1, 2, 3))
    assert ((found == picture).all(axis=(1, 2, 3)) ^ mirrored).all()
    assert 160 < mirrored.sum() < 240


def test_colours_change_by_the_share_that_was_asked_for_at_most():
    pictures = np.random.default_rng(0).random((300, 4, 4, 1)).astype(np.float32)
    brighter = changed(pictures, brightness=0.2) / pictures
    assert 0.8 <= brighter.min() < 0.82
    assert 1.18 < brighter.max() <= 1.2001
    spreads = changed(pictures, contrast=0.2).std(axis=(1, 2, 3)) / pictures.std(axis=(1, 2, 3))
    assert 0.799 <= spreads.min() < 0.82
    assert 1.18 < spreads.max() <= 1.201


def test_each_step_changes_pictures_anew_and_the_same_step_alike():
    pictures = data().train_rows
    first, again, next_one = (changed(pictures, step, **ALL | {"flip": 1}) for step in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, next_one)


def test_what_is_measured_and_what_answers_is_left_alone(simd):
    parsed = config.parse(raw(ALL), PICTURES)
    building = programs._Training(parsed, 20, 8, 0, False)
    ops = {
        name: {node.op for node in in_order(program.roots)}
        for name, program in (
            ("train", building.steps_of_training()["train"]),
            ("measure", building.measure()),
            ("evaluate", building.evaluation(building.evaluations()["evaluate"], 0)),
        )
    }
    assert [name for name, found in ops.items() if "augment" in found] == ["train"]
    answer = building.objective.answer(1)
    assert "augment" not in {node.op for node in in_order(answer.outputs.values())}


def test_a_run_that_was_cut_ends_in_the_same_bits(simd):
    parsed = config.parse(raw(ALL), PICTURES)
    whole, first, rest = (Trainer(parsed, data(), seed=5, module=simd) for _ in range(3))
    list(whole.run())
    list(first.run(steps=3))
    rest.restore(first.checkpoint())
    list(rest.run())
    assert rest.weights_sha256() == whole.weights_sha256()
    plain = Trainer(config.parse(raw({}), PICTURES), data(), seed=5, module=simd)
    list(plain.run())
    assert plain.weights_sha256() != whole.weights_sha256()


def test_shards_and_pairs_of_examples_go_with_it(simd):
    asked = raw(ALL, shards=2) | {
        "divergent": {"enabled": True, "pattern": "associative", "factor": 0.3}
    }
    run = Trainer(config.parse(asked, PICTURES), data(), seed=5, module=simd)
    assert len(list(run.run())) == 3


def test_it_is_written_as_it_was_read_and_nothing_of_it_where_nothing_is_done():
    asked = {"shift": 1, "contrast": 0.25}
    parsed = config.parse(raw(asked | {"flip": False}), PICTURES)
    assert parsed.to_json()["training"]["augmentation"] == asked
    assert config.parse(parsed.to_json(), PICTURES) == parsed
    nothing = config.parse(
        raw({"shift": 0}, layers=[{"type": "dense", "units": 4}]), DataShape.table(4, 2)
    )
    assert "augmentation" not in nothing.to_json()["training"]


@pytest.mark.parametrize(
    ("asked", "shape", "kind", "expected"),
    [
        ({"shift": -1}, PICTURES, "feedforward", ".shift: must be from 0 to 64, not -1"),
        ({"flip": 1}, PICTURES, "feedforward", ".flip: must be true or false, not 1"),
        ({"contrast": 2}, PICTURES, "feedforward", ".contrast: must be from 0 to 0.9, not 2"),
        (
            {"shift": 5},
            PICTURES,
            "feedforward",
            ".shift: 5 would move pictures of (6, 5) out of sight; at most 4",
        ),
        ({"crop": 1}, PICTURES, "feedforward", ".crop: is not known here (known: shift, flip, "),
        ([], PICTURES, "feedforward", ": must be an object, not a list"),
        (
            {"shift": 1},
            DataShape.table(64, 3),
            "feedforward",
            ": is of pictures, and these rows are (64,); leave it out",
        ),
        (
            {"flip": True},
            PICTURES,
            "gan",
            ": would teach a gan to draw what was moved; leave it out",
        ),
        (
            {"flip": True},
            DataShape((6, 5, 2), Target.ACTIONS, 3),
            "feedforward",
            ": is of pictures that are shown, and these are played; leave it out",
        ),
    ],
)
def test_what_cannot_be_done_is_named_with_a_way_out(asked, shape, kind, expected):
    layers = CONV if len(shape.input) == 3 and kind != "gan" else [{"type": "dense", "units": 4}]
    with pytest.raises(config.ConfigError) as refused:
        config.parse(raw(asked, kind, layers), shape)
    assert str(refused.value).startswith(f"training.augmentation{expected}")
