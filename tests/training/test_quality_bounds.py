"""However many rows there are, measuring them takes little memory and is heard of meanwhile."""

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

from kernels import build
from kernels.data import DataShape, Target
from kernels.predictor import Predictor
from tests.training.subjects import subject
from training.runner import anomalies, quality, walls
from training.runner.figures import bootstrap
from training.runner.quality import classification, generation, language
from training.runner.rows import Part, Rows
from training.runner.subjects import Judged, answers_in_parts, answers_of

MEGABYTE = 1_000_000
MAKER = {"type": "gan", "latent": 4, "layers": [{"type": "dense", "units": 8}]}
CODER = {"type": "autoencoder", "layers": [{"type": "dense", "units": 4}]}


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@contextmanager
def within(megabytes: float) -> Iterator[None]:
    """What is done takes at most so much more memory at once."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1] / MEGABYTE
    finally:
        tracemalloc.stop()
    assert peak < megabytes, f"{peak:.0f} MB were taken, and {megabytes} are allowed"


def reader(vocabulary: int) -> dict[str, object]:
    embedding = {"type": "embedding", "vocab_size": vocabulary, "embed_dim": 4}
    block = {"type": "transformer_block", "heads": 1, "ff_dim": 4}
    return {"type": "transformer", "layers": [embedding, block]}


def test_alice_has_a_generator_measured_beside_very_many_rows(rng, monkeypatch):
    for name, draws in (("HALVES", 8), ("FEWER_HALVES", 2)):
        method = replace(getattr(generation, name), draws=draws)
        monkeypatch.setattr(f"training.runner.quality.generation.{name}", method)
    features = rng.standard_normal((24_000, 6), np.float32)
    shape = DataShape((6,), Target.VALUES, 6)
    made = subject(Judged.SAMPLES, MAKER, shape, features, features)
    _ = made.train, made.test
    with within(200):  # the distance of every row to every other alone is 1.2 GB
        found = quality.measure(made)
    assert found.rows == 12_000
    assert found.report["kernel_rows"] == generation.KERNEL_ROWS_MAX
    assert found.figures["kernel_distance"].low <= found.figures["kernel_distance"].value
    assert (found.method.draws, found.others["kernel_distance"].draws) == (8, 2)  # as were made


def test_alice_reads_how_often_the_rows_of_her_long_text_were_drawn(rng):
    """By their number, not by that of their tokens, of which there are very many more."""
    tokens = rng.integers(1, 8, (2_000, 32)).astype(np.uint32)
    shape = DataShape((32,), Target.NEXT, 8, 8)
    found = quality.measure(subject(Judged.TOKENS, reader(8), shape, tokens, tokens))
    assert found.rows == 32_000
    assert found.method.to_json() == {
        "method": "percentile bootstrap",
        "drawn": "rows",
        "draws": 1_000,
    }


def test_the_rows_of_a_kernel_distance_are_drawn_by_the_seed_and_all_where_they_are_few(rng):
    rows = rng.standard_normal((50, 2))
    assert generation.drawn(rows, 50, seed=1) is rows
    some = generation.drawn(rows, 20, seed=1)
    assert (some == generation.drawn(rows, 20, seed=1)).all()
    assert not (some == generation.drawn(rows, 20, seed=2)).all()


def test_alice_has_a_model_of_a_long_text_measured(rng):
    vocabulary, steps = 1_024, 32
    tokens = rng.integers(2, vocabulary, (1_600, steps)).astype(np.uint32)
    shape = DataShape((steps,), Target.NEXT, vocabulary, vocabulary)
    targets = np.roll(tokens, -1, axis=1)
    beats: list[int] = []
    read = subject(Judged.TOKENS, reader(vocabulary), shape, tokens, targets, beat=beats.append)
    _ = read.train, read.test
    with within(60):  # the answers to all rows at once are 105 MB
        found = quality.measure(read)
    assert len(beats) > 800 / read.predictor.capacity
    # the same figures as of all answers at once
    answers = read.predictor.predict(read.test.features).reshape(800, steps, -1)
    each = language.surprises(answers, read.test.targets)
    assert found.figures["perplexity"].value == float(np.exp(each.sum(axis=1).sum() / each.size))
    right = float((answers.argmax(axis=-1) == read.test.targets).mean())
    assert found.figures["accuracy"].value == right
    assert [one for _, one in found.report["by_place"]] == pytest.approx(each.mean(axis=0))


def test_a_column_for_each_of_many_classes_is_not_written_out(rng):
    truth, guesses = rng.integers(0, 500, (2, 40_000))
    with within(10):  # three tables of 160 MB
        statistic = classification.drawn_averages(truth, guesses, 500)
        found = statistic(np.ones((2, 40_000)))
    assert found[0, :3] == pytest.approx(classification.averages(truth, guesses, 500, "macro"))


def test_answers_in_parts_are_those_of_all_rows_at_once_and_are_heard_of(rng):
    shape = DataShape((6,), Target.VALUES, 6)
    features = rng.standard_normal((3_000, 6), np.float32)
    made = subject(Judged.ANOMALIES, CODER, shape, features, features)
    beats: list[int] = []
    parts = list(answers_in_parts(made.predictor, features, beat=beats.append))
    assert len(parts) == len(beats) == -(-3_000 // made.predictor.capacity) > 1
    whole = answers_of(made.predictor, features, beat=int)
    assert (whole == made.predictor.predict(features)).all()
    assert (np.concatenate([part for _, part in parts]) == whole).all()
    assert answers_of(made.predictor, features[:0], beat=int).shape == (0, 6)


def test_a_worker_is_heard_of_while_it_finds_the_threshold_of_many_rows(rng):
    shape = DataShape((6,), Target.VALUES, 6)
    features = rng.standard_normal((3_000, 6), np.float32)
    made = subject(Judged.ANOMALIES, CODER, shape, features, features)
    parts = np.full(3_000, Part.VALIDATION, np.int8)
    beats: list[int] = []
    rows = Rows(features, features, parts)
    content = anomalies.with_threshold(made.predictor, rows, beat=beats.append)
    assert len(beats) > 1
    found = Predictor(content, module=build.module(), limits=walls.PREDICTION).model
    far = anomalies.scores(found, features, made.predictor.predict(features))
    assert found.signature.recipe["threshold"] == float(np.quantile(far, 0.95))


def test_a_worker_is_heard_of_between_draws(monkeypatch):
    monkeypatch.setattr("training.runner.figures.NUMBERS_AT_ONCE", 300)
    beats: list[int] = []
    bootstrap(100, lambda counts: counts[:, :1], seed=0, draws=10, beat=beats.append)
    assert beats == [0, 3, 6, 9]


def test_a_long_fit_is_heard_of_and_comes_to_the_same_end(rng):
    tokens = rng.integers(0, 40, (300, 12)).astype(np.uint32)
    targets = (tokens[:, :6] > 20).sum(axis=1) % 3
    told = classification.counts_of(tokens, tokens=40)
    beats: list[int] = []
    found = classification.fitted(told, targets, beat=beats.append)
    assert 1 < len(beats) < classification.WORDS_ROUNDS_MAX
    straight = classification.LogisticRegression(max_iter=1_000).fit(told, targets)
    assert found.coef_ == pytest.approx(straight.coef_, abs=0.02)


def test_rare_tokens_count_as_one_that_is_unknown():
    rows = np.array([[0, 2, 7], [9, 9, 3]], np.uint32)
    told = classification.counts_of(rows, tokens=4).toarray()
    assert told.tolist() == [[0, 1, 1, 0], [0, 2, 0, 1]]
