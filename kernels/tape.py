"""The tape: a compiled network as the virtual machine in `c/vm.c` reads it, and the check that it
may be run.

    word 0        MAGIC
    word 1        bytes of the arena, the one memory its addresses point into
    word 2        number of programs
    word 3        bytes of the arena that hold inputs, parameters and results; the rest is scratch
    then          for each program: its first instruction (counted from the start of the tape, in
                  units of 16 words) and its length
    then          zeros up to a multiple of 16 words, and the instructions

An instruction is an opcode and up to 15 operands in the order of the op's signature: addresses of
output, sources and scratch (bytes from the start of the arena), sizes, attributes. All words are 32
bits, little-endian.

A tape may come from anywhere, a file or another machine, so nothing in it is believed: `verify`
holds each operand to the arena by the same signature that the compiler wrote it from. What remains
possible is a wrong result or a trap.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.graph import Number, count
from kernels.limits import TapeRefused
from kernels.ops import OPCODES, TABLE, Op
from kernels.signature import extent

MAGIC = 0x31544D4E  # "NMT1"
WORDS = 16
HEADER_WORDS = 4
ARENA_LIMIT_BYTES = 2**32 - 2**20
PROGRAMS_LIMIT = 64
INSTRUCTIONS_LIMIT = 65_536
TOUCH_WORK = 16  # memory far away is that much slower than arithmetic
NAMES = {opcode: name for name, opcode in OPCODES.items()}


@dataclass(frozen=True)
class Instruction:
    """`addresses`: of the output if there is one, of the sources, of scratch if there is any."""

    op: str
    addresses: tuple[int, ...]
    sizes: Mapping[str, int]
    attributes: Mapping[str, Number]


@dataclass(frozen=True)
class Tape:
    arena_bytes: int
    persistent_bytes: int
    programs: tuple[tuple[Instruction, ...], ...]

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
        header = [MAGIC, self.arena_bytes, len(self.programs), self.persistent_bytes, *starts]
        header += [0] * (begin * WORDS - len(header))
        body = np.array(words, "<u4").reshape(-1)
        return np.array(header, "<u4").tobytes() + body.tobytes()


def instruction_words(instruction: Instruction) -> list[int]:
    row = TABLE[instruction.op]
    words = [OPCODES[instruction.op], *instruction.addresses]
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
    magic, arena_bytes, programs, persistent_bytes = (int(word) for word in words[0, :4])
    if magic != MAGIC:
        raise TapeRefused(f"the first word is {magic:#x}, not {MAGIC:#x}")
    if not 1 <= programs <= PROGRAMS_LIMIT or len(words) > INSTRUCTIONS_LIMIT:
        raise TapeRefused(f"{programs} programs in {len(words)} rows are too few or too many")
    flat = words.reshape(-1)[HEADER_WORDS : HEADER_WORDS + 2 * programs]
    if len(flat) < 2 * programs:
        raise TapeRefused("the list of programs is cut off")
    parts = []
    for number, (start, length) in enumerate(flat.reshape(-1, 2).tolist()):
        if start + length > len(words):
            raise TapeRefused(f"program {number} ends at {start + length} of {len(words)} rows")
        parts.append(tuple(instructions(words[start : start + length], number)))
    return Tape(arena_bytes, persistent_bytes, tuple(parts))


def instructions(words: NDArray[np.uint32], program: int) -> Iterator[Instruction]:
    for position, row_words in enumerate(words.tolist()):
        name = NAMES.get(row_words[0])
        if name is None:
            raise TapeRefused(f"program {program}, {position}: no opcode {row_words[0]}")
        row = TABLE[name]
        sizes_at = 1 + len(operands(row))
        attributes_at = sizes_at + len(row.signature.sizes)
        values = row_words[attributes_at : attributes_at + len(row.attributes)]
        yield Instruction(
            name,
            tuple(row_words[1:sizes_at]),
            dict(zip(row.signature.sizes, row_words[sizes_at:attributes_at], strict=True)),
            {
                key: word if of is int else struct.unpack("<f", word.to_bytes(4, "little"))[0]
                for (key, of), word in zip(row.attributes.items(), values, strict=True)
            },
        )


def operands(row: Op) -> list[str]:
    """What an instruction's addresses are of, in order."""
    names = ["the output"] if row.signature.output is not None else []
    names += [f"source {number}" for number in range(len(row.signature.inputs))]
    return names + (["the scratch"] if row.scratch is not None else [])


def extents(row: Op, sizes: Mapping[str, int]) -> list[int]:
    """Elements of each operand of `operands`."""
    output = row.signature.output
    found = [] if output is None else [extent(output, sizes)]
    found += [extent(term, sizes) for term in row.signature.inputs]
    return found + ([] if row.scratch is None else [row.scratch(sizes)])


def verify(tape: Tape, work_limit: int) -> None:
    """TapeRefused unless every operand lies in the arena and no program works more than
    `work_limit` in one step."""
    if not 0 < tape.arena_bytes <= ARENA_LIMIT_BYTES:
        raise TapeRefused(f"an arena of {tape.arena_bytes:,} bytes; at most {ARENA_LIMIT_BYTES:,}")
    if tape.persistent_bytes > tape.arena_bytes:
        raise TapeRefused("more persistent bytes than the arena has")
    for number, program in enumerate(tape.programs):
        for position, instruction in enumerate(program):
            where = f"program {number}, {position} ({instruction.op})"
            verify_instruction(instruction, tape.arena_bytes, where)
        if work(program) > work_limit:
            raise TapeRefused(
                f"program {number}: {work(program):,} operations a step, at most {work_limit:,}; "
                "take a smaller batch or network"
            )


def verify_instruction(instruction: Instruction, arena_bytes: int, where: str) -> None:
    row = TABLE[instruction.op]
    for name, size in instruction.sizes.items():
        if size < 1:
            raise TapeRefused(f"{where}: size {name} is {size}")
    lengths = extents(row, instruction.sizes)
    for operand, address, length in zip(operands(row), instruction.addresses, lengths, strict=True):
        if address % 4 or address + 4 * length > arena_bytes:
            raise TapeRefused(
                f"{where}: {operand}, {length} elements at {address}, "
                f"leaves the arena of {arena_bytes} bytes"
            )


def work(program: Iterable[Instruction]) -> int:
    """A bound for one step: its operations, and TOUCH_WORK for each element it touches."""
    total = 0
    for instruction in program:
        row = TABLE[instruction.op]
        total += row.flops * count(tuple(instruction.sizes.values()))
        total += TOUCH_WORK * sum(extents(row, instruction.sizes))
    return total


def describe(tape: Tape) -> Sequence[str]:
    """The tape in words, one line per instruction, for people."""
    lines = []
    for number, program in enumerate(tape.programs):
        lines.append(f"program {number}:")
        for instruction in program:
            addresses = " ".join(f"@{address}" for address in instruction.addresses)
            sizes = " ".join(f"{name}={size}" for name, size in instruction.sizes.items())
            lines.append(f"  {instruction.op:<24} {addresses}  {sizes}")
    return lines
