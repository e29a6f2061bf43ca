"""The random numbers: the published answers, and the module's agreement with NumPy's version."""

import numpy as np
import pytest

from kernels import philox
from kernels.graph import leaf
from kernels.ops import apply
from kernels.philox import stream

# Random123 1.14, tests/kat_vectors: philox4x32 10 rounds; counter, key, answer
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text):
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN)
def test_numpy_version_gives_the_published_answers(counter, key, answer):
    found = philox.philox(np.array([words(counter)], np.uint64), *words(key))
    assert found[0].tolist() == words(answer)


def test_module_draws_what_numpy_draws(module, compute):
    """Through `uniform`, whose floats hold 24 bits of each word exactly."""
    for seed, purpose, count in [(0, 0, 1), (2**64 - 1, 2**32 - 1, 1_001), (7, 65_536, 4_099)]:
        draws = stream(seed, purpose)
        node = apply(
            "uniform", sizes={"count": count}, attributes={"bound": 1.0, "center": 0.0} | draws
        )
        found = compute(module, node, {})
        expected = philox.words24(draws, 0, count).astype(np.float32) * np.float32(2**-23) - 1
        np.testing.assert_array_equal(found, expected)


def test_another_purpose_step_or_seed_draws_other_numbers():
    first = philox.words24(stream(7, 1), 0, 64)
    for draws, step in [(stream(7, 2), 0), (stream(8, 1), 0), (stream(7, 1), 1)]:
        assert (philox.words24(draws, step, 64) != first).sum() > 60


def test_dropout_drops_the_asked_share(simd, compute):
    x = leaf("x", (100_000,))
    attributes = {"drop_below": round(0.3 * 2**24), "scale": 1 / 0.7} | stream(3, 9)
    node = apply("dropout", x, attributes=attributes)
    found = compute(simd, node, {x: np.ones(100_000, np.float32)})
    # the standard deviation of the share is 0.00145
    assert (found == 0).mean() == pytest.approx(0.3, abs=0.006)
    assert found.mean() == pytest.approx(1.0, abs=0.01)


def test_every_epoch_has_its_own_permutation_of_all_rows(module, compute):
    order, tag = leaf("order", (1_000,), "u4"), leaf("tag", (1,), "u4")
    attributes = {"steps_per_epoch": 10} | stream(5, 1)
    node = apply("shuffle", order, tag, attributes=attributes)
    seen = []
    for step in (0, 9, 10, 25):
        memory = {order: np.zeros(1_000, np.uint32), tag: np.zeros(1, np.uint32)}
        compute(module, node, memory, step)
        assert sorted(memory[order].tolist()) == list(range(1_000))
        seen.append(memory[order].tolist())
    assert seen[0] == seen[1]
    assert seen[1] != seen[2] != seen[3]
