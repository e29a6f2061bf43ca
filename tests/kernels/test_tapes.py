"""Tapes from anywhere: what is written is read back, and mallory's are refused or trap at worst."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernels import build, config
from kernels.compiler import Plan, Program, compile_programs
from kernels.data import DataShape
from kernels.graph import leaf
from kernels.limits import Limits, OutOfMemory, SandboxError, TapeRefused, Trapped
from kernels.ops import OPCODES, TABLE, apply
from kernels.programs import training_plan
from kernels.runtime import Sandbox
from kernels.tape import (
    OPERANDS_AT,
    WORDS,
    Instruction,
    Tape,
    decode,
    describe,
    extents_bytes,
    operands,
    verify,
)
from tests.kernels.examples import example

LIMITS = Limits(memory_bytes=4 * 2**20, deadline_seconds=5, step_work=20_000_000)
NETWORK = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 9}]},
    "training": {"epochs": 1, "batch_size": 8, "learning_rate": 0.01, "optimizer": "adam"},
    "divergent": {"enabled": True, "pattern": "lateral", "factor": 0.5},
}


def training_tape():
    settings = config.parse(NETWORK, DataShape.table(5, 3))
    return training_plan(settings, rows=20, validation_rows=7, seed=1).plan


def run_everything(tape, module, rows=1):
    """As a worker would: verify, load, run each program once on so many rows."""
    plan = Plan({}, tape, {str(n): n for n in range(len(tape.programs))}, {}, 0, 0, {})
    sandbox = Sandbox(module, plan, LIMITS)
    for name in plan.programs:
        sandbox.call(name, 0, 1, rows)


def single(op, addresses, sizes, attributes=None, arena_bytes=4_096):
    instruction = Instruction(op, addresses, sizes, attributes or {})
    return Tape(arena_bytes, arena_bytes, ((instruction,),))


def test_a_tape_is_read_back_as_it_was_written():
    tape = training_tape().tape
    again = decode(tape.encode())
    assert again.encode() == tape.encode()
    assert again.arena_bytes == tape.arena_bytes
    shown = [[(i.op, i.addresses, dict(i.sizes)) for i in program] for program in again.programs]
    assert shown == [[(i.op, i.addresses, dict(i.sizes)) for i in p] for p in tape.programs]
    assert len(tape.encode()) == tape.encoded_bytes
    assert len(describe(tape)) == sum(map(len, tape.programs)) + len(tape.programs)


def test_every_op_fits_one_instruction():
    for name, row in TABLE.items():
        words = len(operands(row)) + len(row.signature.sizes) + len(row.attributes)
        assert OPERANDS_AT + words <= WORDS, name


@pytest.mark.parametrize(
    ("tape", "message"),
    [
        (single("relu", (0, 4_096), {"count": 4}), "source 0, 16 bytes at 4096, leaves"),
        (single("relu", (4_092, 0), {"count": 2}), "the output, 8 bytes at 4092, leaves"),
        (single("relu", (4_084, 0), {"count": 4}), "the output, 16 bytes at 4084, leaves"),
        (single("relu", (2, 0), {"count": 4}), "the output, 16 bytes at 2, leaves"),
        (single("relu", (0, 0), {"count": 0}), "size count is 0"),
        (single("relu", (0, 0), {"count": 2**32 - 1}), "leaves the arena"),
        (single("matmul_nn", (0, 0, 0, 4_000), {"m": 3, "k": 3, "n": 3}), "the scratch, 288 bytes"),
        (single("matmul_nn", (0, 0, 0, 0), {"m": 2**31, "k": 2**31, "n": 4}), "leaves the arena"),
        (single("relu", (0, 0), {"count": 4}, arena_bytes=2**32), "an arena of 4,294,967,296 b"),
        (single("relu", (0, 0), {"count": 4}, arena_bytes=0), "an arena of 0 bytes"),
        (dataclasses.replace(single("relu", (0, 0), {"count": 4}), persistent_bytes=5_000), "more"),
    ],
)
def test_mallory_cannot_reach_outside_the_arena(tape, message):
    with pytest.raises(TapeRefused, match=message):
        verify(tape, LIMITS.step_work)


@pytest.mark.parametrize(
    ("op", "sizes", "attributes", "scaled", "message"),
    [
        ("attention", {"b": 1, "t": 2, "d": 6, "h": 2}, {"causal": 0}, "h", "h .* scale b only"),
        ("matmul_nn", {"m": 1, "k": 1, "n": 1}, None, "k", "size k with the rows; may scale m"),
        ("matmul_tn", {"k": 1, "m": 1, "n": 1}, None, "k", "may scale none only"),
        ("mask", {"n": 1}, None, "n", "may scale none only"),
    ],
)
def test_only_the_size_that_leads_may_grow_with_the_rows(op, sizes, attributes, scaled, message):
    addresses = (0,) * len(operands(TABLE[op]))
    whole = single(op, addresses, sizes, attributes, 65_536)
    verify(dataclasses.replace(whole, rows=3), LIMITS.step_work)
    one = dataclasses.replace(whole.programs[0][0], scaled=frozenset({scaled}))
    with pytest.raises(TapeRefused, match=message):
        verify(Tape(65_536, 0, ((one,),), rows=3), LIMITS.step_work)


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.signature.growing])
def test_operands_never_shrink_where_rows_are_added(name):
    """On which the verifier relies: it looks at one row and at the most."""
    row = TABLE[name]
    growing = row.signature.growing
    node, _ = example(name, np.random.default_rng(1), 4, 4, 4)
    seen = [dict(node.sizes) | {growing: size} for size in (*range(1, 70), 1_023, 1_024, 1_025)]
    lengths = np.array([extents_bytes(row, sizes) for sizes in seen])
    assert (np.diff(lengths, axis=0) >= 0).all()
    assert row.holds is None or all(row.holds(sizes, node.attributes) for sizes in seen)


def test_the_last_bytes_of_the_arena_may_be_used():
    verify(single("relu", (4_080, 4_080), {"count": 4}), LIMITS.step_work)


@pytest.mark.parametrize("name", TABLE)
def test_every_operand_of_every_op_is_held_to_the_arena(name):
    """Each address in turn moved to the end of an arena in which all else fits."""
    count = len(operands(TABLE[name]))
    node, _ = example(name, np.random.default_rng(1), 4, 4, 4)
    end = 16_384
    verify(single(name, (0,) * count, node.sizes, node.attributes, end), LIMITS.step_work)
    for position in range(count):
        addresses = tuple(end if position == other else 0 for other in range(count))
        with pytest.raises(TapeRefused, match="leaves the arena"):
            verify(single(name, addresses, node.sizes, node.attributes, end), LIMITS.step_work)


def test_endless_work_is_refused_before_it_starts():
    big = single("matmul_nn", (0, 0, 0, 0), {"m": 1_000, "k": 1_000, "n": 1_000}, None, 64_000_000)
    with pytest.raises(TapeRefused, match="operations a step, at most 20,000,000"):
        verify(big, LIMITS.step_work)
    one = single("relu", (0, 0), {"count": 1_000}).programs[0]
    many = Tape(4_096, 0, (one * 1_000,))
    with pytest.raises(TapeRefused, match="take a smaller batch"):
        verify(many, LIMITS.step_work)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda words: words[:0], "0 bytes are no whole number"),
        (lambda words: words[:-1], "are no whole number of instructions"),
        (lambda words: patched(words, 0, 7), "the first word is 0x7"),
        (lambda words: patched(words, 2, 0), "0 programs"),
        (lambda words: patched(words, 2, 65), "65 programs"),
        (lambda words: patched(words, 4, 0), "0 rows in a call"),
        (lambda words: patched(words, WORDS + 1, 1), "scales what is no size"),
        (lambda words: patched(words, 6, 2**31), "ends at"),
        (lambda words: patched(words, 5, 2**32 - 1), "ends at"),
        (lambda words: patched(words, WORDS, 4_000), "no opcode 4000"),
        (lambda words: patched(words, WORDS, 0), "no opcode 0"),
    ],
)
def test_bytes_that_are_no_tape_are_refused(change, message):
    words = np.frombuffer(training_tape().tape.encode(), "<u4")
    with pytest.raises(TapeRefused, match=message):
        decode(change(words).tobytes())


def patched(words, position, value):
    changed = words.copy()
    changed[position] = value
    return changed


def test_indices_found_in_memory_are_checked_inside(module):
    x, order = leaf("x", (4, 2)), leaf("order", (4,), "u4")
    gather = apply("gather", x, order, sizes={"b": 2}, attributes={"steps_per_epoch": 2})
    logits, labels = leaf("logits", (4, 3)), leaf("labels", (4, 1), "u4")
    rows = apply("take_rows", x, sizes={"b": 2}, attributes={"first": 0})
    tokens, slope = leaf("tokens", (2, 3), "u4"), leaf("slope", (2, 3, 2))
    for node, bad, step in [
        (gather, order, 0),
        (apply("cross_entropy", logits, labels), labels, 0),
        (apply("cross_entropy_gradient", logits, labels, leaf("logs", (4, 1))), labels, 0),
        (apply("embedding", tokens, x), tokens, 0),
        (apply("embedding_gradient", tokens, slope, sizes={"v": 4}), tokens, 0),
        (apply("one_hot", labels, sizes={"n": 3}), labels, 0),
        *((acting(name, logits, labels), labels, 0) for name in ACTING),
        (rows, None, 2),
        (rows, None, 2**31 - 1),
    ]:
        sandbox = Sandbox(module, compile_programs({"main": Program([node])}), LIMITS)
        if bad is not None:
            sandbox.array(bad)[...] = 4
        with pytest.raises(Trapped, match=r"main, steps \d+ to \d+: wasm trap: .*unreachable"):
            sandbox.call("main", step, 1)
        with pytest.raises(SandboxError, match="discarded"):
            sandbox.call("main", 0, 1)


ACTING = {
    "policy_gradient": "bonus",
    "action_value": "delta",
    "weighted_cross_entropy": "smoothing",
}
ACTING |= {f"{name}_gradient": attribute for name, attribute in ACTING.items()}


def acting(name, logits, labels):
    third = leaf("third", (3,) if "weighted" in name else (4, 1))
    return apply(name, logits, labels, third, attributes={ACTING[name]: 0.5})


def test_an_unknown_opcode_traps_even_where_no_one_verified(module):
    plan = compile_programs({"main": Program([apply("relu", leaf("x", (4,)))])})
    sandbox = Sandbox(module, plan, LIMITS)
    instance = sandbox._live()
    instance.bytes[instance.tape_at + 4 * WORDS] = 250
    with pytest.raises(Trapped):
        sandbox.call("main", 0, 1)


@pytest.mark.parametrize("attribute", ["steps_per_epoch"])
def test_division_by_zero_traps(attribute, module):
    tape = single("shuffle", (0, 64), {"n": 4}, {
        "steps_per_epoch": 0, "seed_low": 0, "seed_high": 0, "purpose": 0,
    })  # fmt: skip
    with pytest.raises(Trapped):
        run_everything(tape, module)


def test_a_tape_larger_than_its_memory_is_refused(module):
    with pytest.raises(OutOfMemory, match="needs 8,"):
        run_everything(single("relu", (0, 0), {"count": 4}, arena_bytes=8 * 2**20), module)


# ------------------------------------------------------------------------------- mallory at random

WORDS_OF_TAPE = training_tape().tape.encode()
# values near what the fields hold, and far from it
VALUES = st.one_of(
    st.integers(0, 64), st.integers(0, 2**32 - 1), st.sampled_from([2**31, 2**32 - 4, 4_096])
)
WORD = st.integers(0, 2**32 - 1)
# the ops whose operands hang on more than the extents of their terms
CAREFUL = sorted(name for name, row in TABLE.items() if row.holds or row.scratch)


@st.composite
def any_instruction(draw, name, whole, places):
    """`whole` draws attributes, `places` addresses in words."""
    row = TABLE[name]
    count, names = len(operands(row)), row.signature.sizes
    addresses = draw(st.lists(places.map(lambda n: 4 * n), min_size=count, max_size=count))
    sizes = {size: draw(st.integers(1, 9)) for size in names}
    scaled = draw(st.frozensets(st.sampled_from(names), max_size=2)) if names else frozenset()
    attributes = {
        key: draw(whole if of is int else st.floats(width=32)) for key, of in row.attributes.items()
    }
    return Instruction(name, tuple(addresses), sizes, attributes, scaled)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=2_048))
def test_random_bytes_never_run(encoded):
    with pytest.raises(TapeRefused):
        verify(decode(encoded), LIMITS.step_work)


@settings(max_examples=400, deadline=None)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(WORDS_OF_TAPE) // 4 - 1), VALUES), min_size=1, max_size=6
    )
)
def test_a_changed_tape_is_refused_traps_or_ends(changes):
    """Whatever was changed, a named refusal or an end within the limits; the worker lives on."""
    words = np.frombuffer(WORDS_OF_TAPE, "<u4").copy()
    for position, value in changes:
        words[position] = value
    try:
        run_everything(decode(words.tobytes()), build.module())
    except SandboxError as refusal:
        assert str(refusal)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_instruction_within_the_arena_ends_or_traps(data):
    """Well-formed instructions with random operands: most of them pass the verifier and run."""
    names = data.draw(st.lists(st.sampled_from(sorted(OPCODES)), min_size=1, max_size=5))
    program = tuple(data.draw(any_instruction(name, WORD, st.integers(0, 500))) for name in names)
    most = data.draw(st.integers(1, 4))
    try:
        run_everything(Tape(16_384, 0, (program,), most), build.module(), most)
    except (TapeRefused, Trapped) as refusal:
        assert str(refusal)


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_what_is_verified_holds_for_any_rows_of_a_call(data):
    """Where a tape passes, each number of rows passes as the sizes that the machine makes of it."""
    name = data.draw(st.sampled_from(CAREFUL))
    instruction = data.draw(any_instruction(name, st.integers(0, 4), st.integers(0, 6)))
    most = data.draw(st.integers(2, 4))
    try:
        verify(Tape(16_384, 0, ((instruction,),), most), LIMITS.step_work)
    except TapeRefused:
        return
    for rows in range(1, most + 1):
        sizes = instruction.sizes_of(rows)
        fixed = dataclasses.replace(instruction, sizes=sizes, scaled=frozenset())
        verify(Tape(16_384, 0, ((fixed,),)), LIMITS.step_work)
