"""The divergent patterns: each against its formula in plain NumPy, and each to the bit."""

import hashlib
import math

import numpy as np
import pytest

from kernels.compiler import Program, compile_programs
from kernels.graph import leaf
from kernels.limits import Limits
from kernels.ops import apply
from kernels.ops.patterns import beta_share
from kernels.patterns import EPOCH_ENDS, EpochState, associative, chaotic, draws, lateral
from kernels.patterns.evolutionary import Evolutionary
from kernels.patterns.quantum import Quantum, tunnelling
from kernels.philox import Purpose, stream
from kernels.runtime import Sandbox
from kernels.settings import FACTOR_LEAST

WIDTH = 37
TARGET = np.linspace(-1, 1, WIDTH, dtype=np.float32)


def bowl(weights):
    """A loss with one lowest point; sums in one order, as a sandbox does."""
    return float(np.cumsum((weights.astype(np.float64) - TARGET) ** 2)[-1]) + 0.5


class Descent:
    """A training of ten epochs, each of which halves the way to the lowest point and shakes."""

    def __init__(self, pattern, seed=5, epochs=10, start=3.0):
        self.pattern, self.seed, self.epochs, self.epoch = pattern, seed, epochs, 0
        self.weights = np.full(WIDTH, start, np.float32)
        self.moments = [np.zeros(WIDTH, np.float32), np.zeros(1, np.float32)]
        self.rate_factor = np.ones(1, np.float32)
        shapes = pattern.memory(self.weights, self.moments)
        self.saved = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        self.measured = []

    def run(self, epochs):
        for _ in range(epochs):
            self.epoch += 1
            pace = np.float32(0.5) * self.rate_factor
            self.weights += pace * (TARGET - self.weights)
            draws.disturb(self.weights, 0.3, self.seed, 99, self.epoch)
            self.moments[0][:] = self.weights
            self.moments[1] += 1
            self.pattern(self.state())

    def state(self):
        def measure(weights):
            self.measured.append(bowl(weights))
            return self.measured[-1]

        return EpochState(
            epoch=self.epoch,
            epochs=self.epochs,
            seed=self.seed,
            weights=self.weights,
            loss=bowl(self.weights),
            moments=self.moments,
            rate_factor=self.rate_factor,
            validation_loss=measure,
            saved=self.saved,
        )

    def sha256(self):
        held = [self.weights, *self.moments, self.rate_factor, *self.saved.values()]
        return hashlib.sha256(b"".join(array.tobytes() for array in held)).hexdigest()


# ------------------------------------------------------------------------------------ in a step


def test_lateral_turns_the_gradient_aside_and_not_back(simd, compute):
    slopes = leaf("slopes", (500,))
    before = np.random.default_rng(1).standard_normal(500).astype(np.float32)
    after = before.copy()
    compute(simd, lateral.explore(slopes, 0.5, 10, seed=3), {slopes: after}, step=2)
    aside = after.astype(np.float64) - before
    length = np.linalg.norm(before)
    assert abs(aside @ before) < 1e-5 * length**2
    assert np.linalg.norm(aside) == pytest.approx(0.5 * 0.8 * length, rel=1e-5)


def test_chaotic_follows_the_logistic_map_to_the_bit(module):
    state, rate = leaf("state", (1,)), leaf("rate", (1,))
    steady = apply("constant", sizes={"count": 1}, attributes={"value": 1.0})
    step = chaotic.modulate(state, rate, 0.5, seed=3)
    plan = compile_programs({"main": Program([steady, step], {steady: rate})})
    sandbox = Sandbox(module, plan, Limits(memory_bytes=2**22))
    sandbox.run("main", 0, 1)
    x, rates = np.float32(sandbox.array(state)[0]), []
    assert 0 < x < 1
    for number in range(1, 2_000):
        sandbox.run("main", number, 1)
        x = np.float32(3.99) * x * (np.float32(1) - x)
        rates.append(np.float32(1) + np.float32(0.5) * (np.float32(2) * x - np.float32(1)))
        assert sandbox.array(state)[0] == x
        assert sandbox.array(rate)[0] == rates[-1]
    assert 0.5 <= min(rates) < 0.52
    assert 1.48 < max(rates) <= 1.5
    assert len(set(rates)) > 1_500


def test_associative_mixes_inputs_and_targets_alike(simd, compute):
    rng = np.random.default_rng(2)
    rows, labels = leaf("rows", (6, 2, 2)), leaf("labels", (6, 1), "u4")
    memory = {
        rows: rng.standard_normal((6, 2, 2)).astype(np.float32),
        labels: np.arange(6, dtype=np.uint32)[:, None],
    }
    x = associative.mixed(rows, 6, 0.8, seed=9)
    t = associative.mixed(associative.shares_of(labels, 6), 6, 0.8, seed=9)
    found = compute(simd, x, {rows: memory[rows]}, step=4)
    shares = compute(simd, t, {labels: memory[labels]}, step=4)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
    assert (np.count_nonzero(shares, axis=1) == 2).all()
    mixed = shares.astype(np.float64) @ memory[rows].reshape(6, 4)
    np.testing.assert_allclose(found.reshape(6, 4), mixed, atol=1e-6)
    again = compute(simd, t, {labels: memory[labels]}, step=5)
    assert not np.array_equal(again, shares)


@pytest.mark.parametrize("factor", [0.2, 1.0])
def test_shares_are_drawn_from_the_beta_distribution(factor):
    """Mean 1/2 and variance 1 / (4 (2 factor + 1)), within four standard errors of 4,000."""
    drawn = {"factor": factor, **stream(11, Purpose.ASSOCIATIVE)}
    shares = np.array([beta_share(drawn, 0, row) for row in range(4_000)])
    variance = 1 / (4 * (2 * factor + 1))
    assert shares.mean() == pytest.approx(0.5, abs=4 * math.sqrt(variance / 4_000))
    assert shares.var() == pytest.approx(variance, rel=0.06)


def test_the_least_factor_takes_each_example_whole_or_its_partner(module, compute):
    labels = leaf("labels", (64, 1), "u4")
    memory = {labels: np.arange(64, dtype=np.uint32)[:, None]}
    mixed = associative.mixed(associative.shares_of(labels, 64), 64, FACTOR_LEAST, seed=3)
    shares = compute(module, mixed, memory)
    assert np.isfinite(shares).all()
    assert (np.count_nonzero(shares == 1, axis=1) == 1).all()
    assert ((shares == 1) | (shares < 1e-30)).all()
    assert 0 < np.trace(shares == 1) < 64


def test_an_example_alone_stays_as_it_is(simd, compute):
    row = leaf("row", (1, 5))
    values = np.arange(5, dtype=np.float32)[None]
    found = compute(simd, associative.mixed(row, 1, 0.5, seed=1), {row: values})
    np.testing.assert_allclose(found, values, rtol=1e-6)


# ------------------------------------------------------------------------------- between epochs


def test_host_noise_is_normal_and_does_not_depend_on_where_it_is_cut():
    noise = draws.bell(7, 1, 2, 200_000, first=0)
    assert abs(float(noise.mean())) < 0.01
    assert float(noise.std()) == pytest.approx(1, abs=0.01)
    x = np.zeros(200_000, np.float32)
    draws.disturb(x, 1.0, 7, 1, 2)
    np.testing.assert_array_equal(x, noise)


def test_root_mean_square_is_one_chain_of_sums():
    x = np.random.default_rng(1).standard_normal(150_000).astype(np.float32)
    total = 0.0
    for value in x.tolist():
        total += value * value
    assert draws.root_mean_square(x) == math.sqrt(total / len(x))


def test_quantum_takes_the_best_of_its_states():
    descent = Descent(Quantum(1.0))
    descent.epoch = 1
    before, least = descent.weights.copy(), []
    descent.pattern(descent.state())
    assert len(descent.measured) == 4
    least = min(descent.measured)
    assert bowl(descent.weights) == (least if least < bowl(before) else bowl(before))
    aside = descent.weights - before
    bound = 0.1 * 0.9 * draws.root_mean_square(before)
    assert 0 < np.sqrt((aside**2).mean()) < 1.3 * bound


def test_quantum_at_the_end_leaves_the_weights_alone():
    for pattern, epoch in [(Quantum(1.0), 10), (Quantum(0.0), 3)]:
        descent = Descent(pattern)
        descent.epoch = epoch
        descent.pattern(descent.state())
        assert descent.measured == []
        assert (descent.weights == 3).all()


def test_tunnelling_is_an_annealed_exponential():
    for x in (0.0, 0.1, 1.0, 5.0):
        loss, warmth = 2.0 + x * 0.1 * 0.5 * 2.0, 0.5
        assert tunnelling(loss, 2.0, warmth) == pytest.approx(math.exp(-x), rel=0.02)
    assert tunnelling(1e9, 1e-9, 0.5) < 1e-200
    assert tunnelling(2.0, 2.0, 0.0) == 0
    assert tunnelling(math.inf, 2.0, 1.0) == 0


def test_quantum_tunnels_where_every_state_is_worse():
    """At the lowest point nothing is better; some seeds go, and less far when it is colder."""
    rises = {}
    for epoch in (1, 9):
        rises[epoch] = []
        for seed in range(40):
            descent = Descent(Quantum(1.0), seed=seed)
            descent.weights[:], descent.epoch = TARGET, epoch
            descent.pattern(descent.state())
            if (descent.weights != TARGET).any():
                rises[epoch].append(bowl(descent.weights) - bowl(TARGET))
    assert 0 < len(rises[1]) < 40
    assert 0 < max(rises[9]) < max(rises[1]) / 10


def test_evolution_ends_with_the_best_it_has_seen():
    descent = Descent(Evolutionary(1.0))
    seen = []
    for _ in range(descent.epochs):
        descent.epoch += 1
        draws.disturb(descent.weights, 0.5, descent.seed, 98, descent.epoch)
        seen.append(bowl(descent.weights))
        descent.pattern(descent.state())
    assert bowl(descent.weights) == min(seen)
    assert descent.saved["members"][0] == 4
    assert sorted(descent.saved["losses"].tolist()) == sorted(map(np.float32, sorted(seen)[:4]))


def test_evolution_keeps_what_belongs_to_its_member():
    descent = Descent(Evolutionary(0.5))
    descent.run(descent.epochs)
    np.testing.assert_array_equal(descent.moments[0], descent.weights)
    best = int(descent.saved["losses"].argmin())
    assert descent.moments[1][0] == descent.saved["moments1"][best, 0]
    assert 1 / 8 <= descent.rate_factor[0] <= 8


def test_learning_rates_evolve():
    factors = set()
    for seed in range(12):
        descent = Descent(Evolutionary(1.0), seed=seed)
        descent.run(3)
        factors.add(float(descent.rate_factor[0]))
    assert len(factors) > 2


@pytest.mark.parametrize("name", EPOCH_ENDS)
def test_a_restored_training_goes_on_as_it_would_have(name):
    whole, cut = Descent(EPOCH_ENDS[name](0.7)), Descent(EPOCH_ENDS[name](0.7))
    whole.run(10)
    cut.run(4)
    again = Descent(EPOCH_ENDS[name](0.7))
    again.epoch = cut.epoch
    for mine, theirs in [
        (again.weights, cut.weights),
        (again.rate_factor, cut.rate_factor),
        *zip(again.moments, cut.moments, strict=True),
        *((again.saved[key], cut.saved[key]) for key in cut.saved),
    ]:
        mine[...] = theirs
    again.run(6)
    assert again.sha256() == whole.sha256()
    assert Descent(EPOCH_ENDS[name](0.7), seed=6).sha256() != whole.sha256()


@pytest.mark.parametrize(
    ("name", "sha256"),
    [
        ("quantum", "05f76db675d67963dd39070577ead8ea200103040900ed9c24deaae692c01d80"),
        ("evolutionary", "ee37d4b1d6f309f7610600edd14dd0784932d7b61141b57d2236593550f79634"),
    ],
)
def test_the_host_computes_these_bits_on_every_machine(name, sha256):
    descent = Descent(EPOCH_ENDS[name](0.7))
    descent.run(10)
    assert descent.sha256() == sha256
