"""The tape: a compiled network as the virtual machine in `c/vm.c` reads it, and the check that it
may be run.

    word 0        MAGIC
    word 1        bytes of the arena, the one memory its addresses point into
    word 2        number of programs
    word 3        bytes of the arena that hold inputs, parameters and results; the rest is scratch
    word 4        rows at most: how often the rows of one call may stand in a size
    then          for each program: its first instruction (counted from the start of the tape, in
                  units of 32 words) and its length
    then          zeros up to a multiple of 32 words, and the instructions

An instruction is an opcode, a mask, and up to 30 operands in the order of the op's signature:
addresses of outputs, sources and scratch (bytes from the start of the arena), sizes, attributes. A
size whose bit is set in the mask (bit i for operand i) is multiplied by the rows of the call: so
one tape serves one row or many. All words are 32 bits, little-endian.

A tape may come from anywhere, a file or another machine, so nothing in it is believed: `verify`
holds each operand to the arena by the same signature that the compiler wrote it from. What remains
possible is a wrong result or a trap.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.graph import ITEM_BYTES, Number
from kernels.limits import TapeRefused
from kernels.ops import OPCODES, TABLE, Op
from kernels.signature import Term

MAGIC = 0x32544D4E  # "NMT2"
WORDS = 32
OPERANDS_AT = 2
HEADER_WORDS = 5
ROWS_LIMIT = 65_536
ARENA_LIMIT_BYTES = 2**32 - 2**20
PROGRAMS_LIMIT = 64
INSTRUCTIONS_LIMIT = 65_536
TOUCH_WORK = 16  # memory far away is that much slower than arithmetic
NAMES = {opcode: name for name, opcode in OPCODES.items()}


@dataclass(frozen=True)
class Instruction:
    """`addresses`: of the outputs, of the sources, of scratch if there is any. The sizes named in
    `scaled` are for one row.
    """

    op: str
    addresses: tuple[int, ...]
    sizes: Mapping[str, int]
    attributes: Mapping[str, Number]
    scaled: frozenset[str] = frozenset()

    def sizes_of(self, rows: int) -> dict[str, int]:
        return {
            name: size * rows if name in self.scaled else size for name, size in self.sizes.items()
        }


@dataclass(frozen=True)
class Tape:
    arena_bytes: int
    persistent_bytes: int
    programs: tuple[tuple[Instruction, ...], ...]
    rows: int = 1

    @property
    def encoded_bytes(self) -> int:
        return 4 * WORDS * (self._begin + sum(map(len, self.programs)))

    @property
    def _begin(self) -> int:
        return -(-(HEADER_WORDS + 2 * len(self.programs)) // WORDS)

    def encode(self) -> bytes:
        starts: list[int] = []
        words: list[list[int]] = []
        begin = self._begin
        for program in self.programs:
            starts += [begin + len(words), len(program)]
            words += [instruction_words(instruction) for instruction in program]
        header = [MAGIC, self.arena_bytes, len(self.programs), self.persistent_bytes, self.rows]
        header += starts
        header += [0] * (begin * WORDS - len(header))
        body = np.array(words, "<u4").reshape(-1)
        return np.array(header, "<u4").tobytes() + body.tobytes()


def instruction_words(instruction: Instruction) -> list[int]:
    row = TABLE[instruction.op]
    mask = sum(
        1 << len(instruction.addresses) + position
        for position, name in enumerate(row.signature.sizes)
        if name in instruction.scaled
    )
    words = [OPCODES[instruction.op], mask, *instruction.addresses]
    words += [instruction.sizes[name] for name in row.signature.sizes]
    words += [
        attribute_word(instruction.attributes[name], of) for name, of in row.attributes.items()
    ]
    assert len(words) <= WORDS, f"{instruction.op} has too many operands"
    return words + [0] * (WORDS - len(words))


def attribute_word(value: Number, of: type) -> int:
    if of is int:
        return int(value)
    return int.from_bytes(struct.pack("<f", value), "little")


def decode(encoded: bytes) -> Tape:
    """The tape that these bytes say; TapeRefused where they say none. Addresses are not checked
    yet.
    """
    if len(encoded) % (4 * WORDS) or not encoded:
        raise TapeRefused(f"{len(encoded)} bytes are no whole number of instructions")
    words = np.frombuffer(encoded, "<u4").reshape(-1, WORDS)
    magic, arena_bytes, programs, persistent_bytes, rows = (int(word) for word in words[0, :5])
    if magic != MAGIC:
        raise TapeRefused(f"the first word is {magic:#x}, not {MAGIC:#x}")
    if not 1 <= programs <= PROGRAMS_LIMIT or len(words) > INSTRUCTIONS_LIMIT:
        raise TapeRefused(f"{programs} programs in {len(words)} rows are too few or too many")
    if not 1 <= rows <= ROWS_LIMIT:
        raise TapeRefused(f"{rows} rows in a call; must be from 1 to {ROWS_LIMIT:,}")
    flat = words.reshape(-1)[HEADER_WORDS : HEADER_WORDS + 2 * programs]
    if len(flat) < 2 * programs:
        raise TapeRefused("the list of programs is cut off")
    parts = []
    for number, (start, length) in enumerate(flat.reshape(-1, 2).tolist()):
        if start + length > len(words):
            raise TapeRefused(f"program {number} ends at {start + length} of {len(words)} rows")
        parts.append(tuple(instructions(words[start : start + length], number)))
    return Tape(arena_bytes, persistent_bytes, tuple(parts), rows)


def instructions(words: NDArray[np.uint32], program: int) -> Iterator[Instruction]:
    for position, row_words in enumerate(words.tolist()):
        name = NAMES.get(row_words[0])
        if name is None:
            raise TapeRefused(f"program {program}, {position}: no opcode {row_words[0]}")
        row = TABLE[name]
        sizes_at = OPERANDS_AT + len(operands(row))
        attributes_at = sizes_at + len(row.signature.sizes)
        values = row_words[attributes_at : attributes_at + len(row.attributes)]
        places = dict(enumerate(row.signature.sizes, start=sizes_at - OPERANDS_AT))
        scaled = frozenset(size for place, size in places.items() if row_words[1] >> place & 1)
        if row_words[1] != sum(1 << place for place, size in places.items() if size in scaled):
            raise TapeRefused(f"program {program}, {position} ({name}): scales what is no size")
        yield Instruction(
            name,
            tuple(row_words[OPERANDS_AT:sizes_at]),
            dict(zip(row.signature.sizes, row_words[sizes_at:attributes_at], strict=True)),
            {
                key: word if of is int else struct.unpack("<f", word.to_bytes(4, "little"))[0]
                for (key, of), word in zip(row.attributes.items(), values, strict=True)
            },
            scaled,
        )


def operands(row: Op) -> list[str]:
    """What an instruction's addresses are of, in order."""
    several = len(row.signature.outputs) > 1
    names = [
        f"output {number}" if several else "the output"
        for number in range(len(row.signature.outputs))
    ]
    names += [f"source {number}" for number in range(len(row.signature.inputs))]
    return names + (["the scratch"] if row.scratch is not None else [])


def extents_bytes(row: Op, sizes: Mapping[str, int]) -> list[int]:
    """Bytes of each operand of `operands`."""
    found = [extent_bytes(term, sizes) for term in row.signature.outputs + row.signature.inputs]
    return found + ([] if row.scratch is None else [4 * row.scratch(sizes)])


def extent_bytes(term: Term, sizes: Mapping[str, int]) -> int:
    return ITEM_BYTES.get(term.dtype, 4) * term.extent(sizes)


def verify(tape: Tape, work_limit: int) -> None:
    """TapeRefused unless every operand lies in the arena and no program works more than
    `work_limit` in one step."""
    if not 0 < tape.arena_bytes <= ARENA_LIMIT_BYTES:
        raise TapeRefused(f"an arena of {tape.arena_bytes:,} bytes; at most {ARENA_LIMIT_BYTES:,}")
    if tape.persistent_bytes > tape.arena_bytes:
        raise TapeRefused("more persistent bytes than the arena has")
    if not 1 <= tape.rows <= ROWS_LIMIT:
        raise TapeRefused(f"{tape.rows} rows in a call; must be from 1 to {ROWS_LIMIT:,}")
    for number, program in enumerate(tape.programs):
        for position, instruction in enumerate(program):
            where = f"program {number}, {position} ({instruction.op})"
            verify_instruction(instruction, tape, where)
        found = work(program, tape.rows)
        if found > work_limit:
            raise TapeRefused(
                f"program {number}: {found:,} operations a step, at most {work_limit:,}; "
                "take a smaller batch or network"
            )


def verify_instruction(instruction: Instruction, tape: Tape, where: str) -> None:
    """TapeRefused unless all that any number of rows makes of it stays within its operands.

    The only size that may be scaled is the one over which a kernel repeats itself: what holds for
    one row and for the most holds between them, since operands and scratch never shrink with it.
    """
    growing = TABLE[instruction.op].signature.growing
    for name in sorted(instruction.scaled):
        if name != growing:
            raise TapeRefused(
                f"{where}: scales size {name} with the rows; may scale {growing or 'none'} only"
            )
    for rows in sorted({1, tape.rows}):
        verify_sizes(instruction, instruction.sizes_of(rows), tape, where)


def verify_sizes(
    instruction: Instruction, sizes: Mapping[str, int], tape: Tape, where: str
) -> None:
    row = TABLE[instruction.op]
    for name, size in sizes.items():
        if not 1 <= size < 2**32:
            raise TapeRefused(f"{where}: size {name} is {size}")
    if row.holds is not None and not row.holds(sizes, instruction.attributes):
        raise TapeRefused(f"{where}: sizes {sizes} would leave its operands")
    lengths = extents_bytes(row, sizes)
    for operand, address, length in zip(operands(row), instruction.addresses, lengths, strict=True):
        if address % 4 or address + length > tape.arena_bytes:
            raise TapeRefused(
                f"{where}: {operand}, {length} bytes at {address}, "
                f"leaves the arena of {tape.arena_bytes} bytes"
            )


def work(program: Iterable[Instruction], rows: int = 1) -> int:
    """A bound for one step: its operations, and TOUCH_WORK for every four bytes it touches."""
    total = 0
    for instruction in program:
        row, sizes = TABLE[instruction.op], instruction.sizes_of(rows)
        total += row.work(sizes, instruction.attributes)
        total += TOUCH_WORK * sum(extents_bytes(row, sizes)) // 4
    return total


def describe(tape: Tape) -> Sequence[str]:
    """The tape in words, one line per instruction, for people."""
    lines = []
    for number, program in enumerate(tape.programs):
        lines.append(f"program {number}:")
        for instruction in program:
            addresses = " ".join(f"@{address}" for address in instruction.addresses)
            sizes = " ".join(
                f"{name}={size}{'·rows' if name in instruction.scaled else ''}"
                for name, size in instruction.sizes.items()
            )
            lines.append(f"  {instruction.op:<24} {addresses}  {sizes}")
    return lines
