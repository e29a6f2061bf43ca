"""The shape rule of an op, as NumPy writes it: "(m,k),(k,n)->(m,n)".

A letter is a size, the same wherever it stands; a number before it multiplies it, "(b,4h)"; a
number alone is a size that must be so; "(...)" is any shape at all, whose elements are counted as
the size `count`; nothing after the arrow means an effect on a source and no value. A letter after
the bracket is the type of the elements: "(m,1)u" holds whole numbers, "(n)b" bytes, "(n)*" words of
any type, nothing floats.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from kernels.graph import Shape, count

Sizes = Mapping[str, int]
DTYPES = {"": "f4", "u": "u4", "b": "i1", "*": "*"}


class ShapeError(ValueError):
    """Sources whose shapes do not fit an op."""


@dataclass(frozen=True)
class Term:
    """One operand: its sizes as (factor, letter), a letter "" for a number alone, and its type."""

    sizes: tuple[tuple[int, str], ...]
    dtype: str

    @property
    def is_any(self) -> bool:
        return self.sizes == ((1, "..."),)

    def shape(self, sizes: Sizes) -> Shape:
        return tuple(factor * (sizes[name_of(at)] if at else 1) for factor, at in self.sizes)

    def extent(self, sizes: Sizes) -> int:
        """How many elements the operand has."""
        return count(self.shape(sizes))

    def __str__(self) -> str:
        parts = (f"{factor if factor != 1 or not at else ''}{at}" for factor, at in self.sizes)
        return f"({', '.join(parts)})"


@dataclass(frozen=True)
class Signature:
    text: str

    @cached_property
    def inputs(self) -> list[Term]:
        return terms(self.text.split("->")[0])

    @cached_property
    def outputs(self) -> list[Term]:
        return terms(self.text.split("->")[1])

    @cached_property
    def sizes(self) -> list[str]:
        """Names of the sizes, in order of appearance."""
        letters = [at for term in terms(self.text) for _, at in term.sizes if at]
        return [name_of(at) for at in dict.fromkeys(letters)]

    @cached_property
    def growing(self) -> str | None:
        """The one size that may grow with the rows of a call: it leads the first output and a
        source. Over it a kernel only repeats what it does for one row.
        """
        if not self.outputs:
            return None
        leading = self.outputs[0].sizes[0]
        is_shown = any(term.sizes[0] == leading for term in self.inputs)
        return name_of(leading[1]) if leading[1] and is_shown else None

    def infer(self, op: str, shapes: Sequence[Shape], given: Sizes) -> dict[str, int]:
        """All sizes by name, from the shapes of the sources.

        `given` holds the sizes that no source shows. Raises ShapeError.
        """
        if len(shapes) != len(self.inputs):
            raise ShapeError(f"{op} takes {len(self.inputs)} sources, not {len(shapes)}")
        sizes = dict(given)
        for term, shape in zip(self.inputs, shapes, strict=True):
            if term.is_any:
                self._bind(op, "count", 1, count(shape), sizes)
                continue
            if len(term.sizes) != len(shape):
                raise ShapeError(f"{op}: a source of shape {shape} must be {term}")
            for (factor, at), size in zip(term.sizes, shape, strict=True):
                self._bind(op, at, factor, size, sizes)
        missing = [name for name in self.sizes if name not in sizes]
        if missing or set(sizes) - set(self.sizes):
            raise ShapeError(
                f"{op} {self.text}: needs the sizes {missing}, was given {dict(given)}"
            )
        return sizes

    def _bind(self, op: str, at: str, factor: int, size: int, sizes: dict[str, int]) -> None:
        expected = factor * (sizes.setdefault(at, size // factor) if at else 1)
        if expected != size:
            name = f"{factor}{at}" if factor != 1 else at or "a size"
            raise ShapeError(f"{op} {self.text}: {name} is {expected} and {size} at once")


def terms(text: str) -> list[Term]:
    found = re.findall(r"\(([^)]*)\)([ub*]?)", text)
    return [Term(tuple(map(size, body.split(","))), DTYPES[mark]) for body, mark in found]


def size(text: str) -> tuple[int, str]:
    factor, at = re.fullmatch(r"(\d*)(.*)", text.strip()).groups()  # type: ignore[union-attr]
    return int(factor or 1), at


def name_of(letter: str) -> str:
    return "count" if letter == "..." else letter
