"""People who ask one model at the same moment: they share its sandbox, and nobody notices."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import build, modelfile
from kernels.limits import SandboxError
from kernels.modelfile import Model, Signature
from kernels.predictor import Predictor, RowsRefused
from tests.kernels.networks import NETWORKS
from training import services as training
from training.runner.networks import READY, Asked
from training.runner.sharing import Shared, TooLate

AN_HOUR = 3600.0


def later(seconds=AN_HOUR):
    return time.monotonic() + seconds


class Doubling:
    """Doubles rows, and can be held up to see who waits."""

    def __init__(self):
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        self.rounds = []
        self.fault = None

    def __call__(self, rows):
        self.entered.set()
        self.rounds.append(len(rows))
        assert self.open.wait(10)
        if self.fault:
            raise self.fault
        return {"doubled": 2 * rows, "pairs": np.repeat(rows, 2, axis=0)}

    def hold(self):
        self.open.clear()
        self.entered.clear()


def rows_of(*numbers):
    return np.array(numbers, np.float32)[:, None]


def wait_until(is_so):
    deadline = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def work():
    return Doubling()


@pytest.fixture
def people():
    with ThreadPoolExecutor(8) as people:
        yield people


def arrive(people, shared, *calls):
    """Each asks in a thread of its own, one after the other, while the sandbox is busy."""
    asked = []
    for rows, until in calls:
        waiting = len(shared.waiting)
        asked.append(people.submit(shared.outputs, rows, until))
        wait_until(lambda waiting=waiting: len(shared.waiting) > waiting)
    return asked


def begin(people, shared, work, rows=None):
    """Somebody's rows are being computed."""
    work.hold()
    first = people.submit(shared.outputs, rows_of(0) if rows is None else rows, later())
    assert work.entered.wait(10)
    return first


def test_who_asks_an_idle_network_is_answered_in_their_own_thread_and_alone(work):
    found = Shared(work, 8).outputs(rows_of(1, 2), later())
    assert found["doubled"].tolist() == [[2], [4]]
    assert work.rounds == [2]


def test_those_who_wait_are_computed_together(work, people):
    shared = Shared(work, 8)
    first = begin(people, shared, work)
    others = arrive(people, shared, *((rows_of(n, n + 0.5), later()) for n in (1, 2, 3)))
    work.open.set()
    assert first.result(10)["doubled"].tolist() == [[0]]
    for number, other in zip((1, 2, 3), others, strict=True):
        found = other.result(10)
        assert found["doubled"].tolist() == [[2 * number], [2 * number + 1]]
        assert found["pairs"].tolist() == [[number]] * 2 + [[number + 0.5]] * 2
    assert work.rounds == [1, 6]
    assert shared.leader is None


def test_a_single_row_waits_for_one_round_of_a_long_call_and_not_for_all_of_it(work, people):
    shared = Shared(work, 10)
    long = begin(people, shared, work, rows_of(*range(100)))
    short = arrive(people, shared, (rows_of(7), later()))[0]

    def in_the_third_round_she_has_her_answer(rows):
        if len(work.rounds) == 2:
            assert short.result(10)["doubled"].tolist() == [[14]]
        return work(rows)

    shared.compute = in_the_third_round_she_has_her_answer
    work.open.set()
    assert long.result(10)["doubled"][:, 0].tolist() == [2.0 * n for n in range(100)]
    assert work.rounds == [10] * 10 + [1]


def test_a_fault_is_told_to_all_it_concerns_and_to_nobody_after_them(work, people):
    shared = Shared(work, 8)
    first = begin(people, shared, work)
    second = arrive(people, shared, (rows_of(1), later()))[0]
    work.fault = SandboxError("a trap")
    work.open.set()
    for call in (first, second):
        with pytest.raises(SandboxError, match="a trap"):
            call.result(10)
    work.fault = None
    assert shared.outputs(rows_of(3), later())["doubled"].tolist() == [[6]]


def test_who_computes_and_breaks_down_leaves_nobody_waiting(work, people):
    shared = Shared(work, 1)
    first = begin(people, shared, work)
    second = arrive(people, shared, (rows_of(1), later()))[0]
    work.fault = MemoryError()
    work.open.set()
    with pytest.raises(MemoryError):
        first.result(10)
    with pytest.raises(MemoryError):
        second.result(10)
    assert shared.leader is None


def test_who_has_waited_as_long_as_they_may_is_told_so_and_others_go_on(work, people):
    shared = Shared(work, 8)
    first = begin(people, shared, work)
    impatient, patient = arrive(people, shared, (rows_of(1), later(0.1)), (rows_of(2), later()))
    with pytest.raises(TooLate):
        impatient.result(10)
    work.open.set()
    assert first.result(10)
    assert patient.result(10)["doubled"].tolist() == [[4]]
    assert work.rounds == [1, 1]  # nobody computes what nobody waits for


def test_a_long_call_ends_between_two_rounds_when_its_time_is_over(work):
    def slowly(rows):
        time.sleep(0.02)
        return work(rows)

    shared = Shared(slowly, 1)
    with pytest.raises(TooLate):
        shared.outputs(rows_of(*range(1000)), later(0.1))
    assert len(work.rounds) < 100
    assert shared.outputs(rows_of(1), later())


@cache
def network_of(kind):
    """A network in use, and 64 rows for it."""
    made = NETWORKS[kind]()
    file = modelfile.dump(Model(made.graph, Signature((), ()), made.arrays))
    predictor = Predictor(file, module=build.module())
    return predictor, np.resize(made.rows, (64, *made.rows.shape[1:]))


@settings(deadline=None, max_examples=60)
@given(
    kind=st.sampled_from(["dense", "tokens", "encoder", "recurrent", "pictures", "quantised"]),
    asked=st.lists(st.lists(st.integers(0, 63), min_size=1, max_size=40), min_size=1, max_size=8),
    rows_max=st.integers(1, 64),
)
def test_everybody_gets_the_bits_they_would_get_alone(kind, asked, rows_max):
    predictor, rows = network_of(kind)
    alone = [predictor.outputs(rows[some]) for some in asked]
    shared = Shared(predictor.computed, rows_max)
    together = threading.Barrier(len(asked))

    def ask(some):
        together.wait()
        return shared.outputs(rows[some], later())

    with ThreadPoolExecutor(len(asked)) as people:
        found = list(people.map(ask, asked))
    for mine, expected in zip(found, alone, strict=True):
        assert bits(mine) == bits(expected)


def bits(outputs):
    return {name: (array.shape, array.tobytes()) for name, array in outputs.items()}


def test_rows_that_overflow_are_refused_to_mallory_and_bob_is_answered(trained):
    network = READY.take(trained.sha256)
    asked = Asked(network, later())
    good = network.predictor.example_rows(2)
    expected = asked.predict(good)
    shared, begun = network.shared, threading.Event()

    def held(rows):
        begun.set()
        wait_until(lambda: len(shared.waiting) >= 2 or len(rows) > 2)
        return network.predictor.computed(rows)

    shared.compute = held
    try:
        with ThreadPoolExecutor(3) as people:
            first = people.submit(asked.predict, good)
            assert begun.wait(10)
            mallory = people.submit(asked.predict, np.full_like(good, 3e38))
            bob = people.submit(asked.predict, good)
            assert first.result(10).tobytes() == expected.tobytes()
            assert bob.result(10).tobytes() == expected.tobytes()
            with pytest.raises(RowsRefused, match="row 0: its numbers are so large"):
                mallory.result(10)
    finally:
        shared.compute = network.predictor.computed


# In time


def test_bob_is_told_when_an_answer_takes_longer_than_a_call_may(trained, settings):
    settings.PREDICTION_SECONDS = 0.0
    with pytest.raises(training.AnswerLate, match="after 0 seconds.*Nothing was charged"):
        training.predict(model=trained, rows=[[0.0] * 64])
    settings.PREDICTION_SECONDS = 20.0
    assert training.predict(model=trained, rows=[[0.0] * 64])
