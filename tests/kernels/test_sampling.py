"""What a decoder writes on: alike for alike, and by the chances that it was told."""

import numpy as np
import pytest

from kernels.config import parse
from kernels.data import DataShape, Target, TrainingData
from kernels.modelfile import Signature
from kernels.predictor import Predictor
from kernels.sampling import SamplingRefused, Sharpener, generate, pick
from kernels.trainer import Trainer

CHANCES = np.array([0.1, 0.4, 0.05, 0.25, 0.2], np.float32)


def constant(rows):
    """A network that says the same of every step."""
    return np.broadcast_to(CHANCES, (*rows.shape, len(CHANCES)))


def written(module, **choices):
    options = {"steps": 4, "module": module} | choices
    return list(generate(constant, [1], options.pop("length", 400), **options))


def test_tokens_come_as_often_as_their_chances_say(module):
    counts = np.bincount(written(module, length=2_000, seed=3), minlength=5)
    # four standard deviations of the largest
    np.testing.assert_allclose(counts / 2_000, CHANCES, rtol=0, atol=4 * (0.24 / 2_000) ** 0.5)


def test_the_seed_decides_all_and_the_module_nothing(simd, scalar):
    assert written(simd, seed=5) == written(scalar, seed=5)
    assert written(simd, seed=5) != written(simd, seed=6)
    assert written(simd, seed=5, length=9) == written(simd, seed=5)[:9]


def test_only_the_largest_are_drawn(simd):
    assert set(written(simd, top_k=2)) == {1, 3}
    assert set(written(simd, top_k=1)) == {1}
    assert set(written(simd, top_k=9)) == {0, 1, 2, 3, 4}


def test_the_temperature_takes_powers_of_the_chances(module):
    for temperature in (0.5, 1.0, 2.0):
        powers = CHANCES.astype(np.float64) ** (1 / temperature)
        found = Sharpener(module, 5, temperature)(CHANCES)
        np.testing.assert_allclose(found, powers / powers.sum(), rtol=0, atol=1e-6)
    assert set(written(module, temperature=0, length=20)) == {1}


def test_what_cannot_be_is_never_drawn(module):
    shares = Sharpener(module, 4, 0.7)(np.array([0.5, 0, 0.5, 0], np.float32))
    np.testing.assert_array_equal(shares, np.array([0.5, 0, 0.5, 0], np.float32))
    assert pick(shares, 2**24 - 1) == 2
    assert pick(shares, 0) == 0


def test_of_equal_shares_the_first_comes_first():
    shares = np.full(4, 0.25, np.float32)
    assert [pick(shares, quarter * 2**22) for quarter in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": []}, "prompt: must be at least one token"),
        ({"prompt": [-1]}, "none below 0"),
        ({"length": 0}, "length and steps: must be at least 1, not 0 and 4"),
        ({"temperature": -1.0}, "temperature: must be from 0 to 100, not -1.0"),
        ({"temperature": float("nan")}, "temperature: must be from 0 to 100, not nan"),
        ({"top_k": -1}, "top_k: must be at least 1, or 0 for all, not -1"),
        ({"seed": 2**64}, "seed: must be from 0"),
    ],
)
def test_what_cannot_be_written_on_from_is_refused(change, message, simd):
    options = {"prompt": [1], "length": 3, "steps": 4, "module": simd} | change
    with pytest.raises(SamplingRefused, match=message):
        list(generate(constant, options.pop("prompt"), options.pop("length"), **options))


def test_a_decoder_that_has_learned_to_count_counts_on(simd):
    """Beyond its eight steps too, where it sees the last ones: a second of training."""
    starts = np.arange(160) % 10
    tokens = ((starts[:, None] + np.arange(9)) % 10).astype(np.int32)
    raw = {
        "architecture": {
            "type": "transformer",
            "layers": [
                {"type": "embedding", "vocab_size": 10, "embed_dim": 16},
                {"type": "transformer_block", "heads": 2, "ff_dim": 32},
            ],
        },
        "training": {"epochs": 30, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"},
    }
    data = TrainingData(tokens[:, :8], tokens[:, 1:], tokens[:0, :8], tokens[:0, 1:])
    trainer = Trainer(parse(raw, DataShape((8,), Target.NEXT, 10, 10)), data, seed=1, module=simd)
    list(trainer.run())
    model = trainer.export(Signature((), tuple("0123456789")), {})
    predict = Predictor(model, module=simd).predict
    found = list(generate(predict, [3, 4], 12, steps=8, module=simd, temperature=0))
    assert found == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6]
