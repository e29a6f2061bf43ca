"""The shape rule of an op, as NumPy writes it: "(m,k),(k,n)->(m,n)".

A letter is a size, the same wherever it stands; a number is a size that must be so; "(...)" is any
shape at all, whose elements are counted as the size `count`; nothing after the arrow means an
effect on a source and no value.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from kernels.graph import Shape, count

Sizes = Mapping[str, int]
Term = tuple[str, ...]
ANY: Term = ("...",)


class ShapeError(ValueError):
    """Sources whose shapes do not fit an op."""


@dataclass(frozen=True)
class Signature:
    text: str

    @cached_property
    def inputs(self) -> list[Term]:
        return terms(self.text.split("->")[0])

    @cached_property
    def output(self) -> Term | None:
        return next(iter(terms(self.text.split("->")[1])), None)

    @cached_property
    def sizes(self) -> list[str]:
        """Names of the sizes, in order of appearance."""
        names = [name for term in terms(self.text) for name in term if not name.isdigit()]
        return ["count" if name == "..." else name for name in dict.fromkeys(names)]

    def infer(
        self, op: str, shapes: Sequence[Shape], given: Sizes
    ) -> tuple[Shape | None, dict[str, int]]:
        """The shape of the value, and all sizes by name, from the shapes of the sources.

        `given` holds the sizes that no source shows. Raises ShapeError.
        """
        if len(shapes) != len(self.inputs):
            raise ShapeError(f"{op} takes {len(self.inputs)} sources, not {len(shapes)}")
        sizes = dict(given)
        any_shape: Shape = (sizes["count"],) if "count" in sizes else ()
        for term, shape in zip(self.inputs, shapes, strict=True):
            if term == ANY:
                any_shape = shape
                self._bind(op, "count", count(shape), sizes)
                continue
            if len(term) != len(shape):
                raise ShapeError(f"{op}: a source of shape {shape} must be ({', '.join(term)})")
            for letter, size in zip(term, shape, strict=True):
                self._bind(op, letter, size, sizes)
        if self.output is None:
            return None, sizes
        if self.output == ANY:
            return any_shape, sizes
        return tuple(size_of(letter, sizes) for letter in self.output), sizes

    def _bind(self, op: str, letter: str, size: int, sizes: dict[str, int]) -> None:
        expected = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
        if expected != size:
            raise ShapeError(f"{op} {self.text}: {letter} is {expected} and {size} at once")


def terms(text: str) -> list[Term]:
    return [tuple(term.split(",")) for term in re.findall(r"\(([^)]*)\)", text)]


def extent(term: Term, sizes: Sizes) -> int:
    """How many elements an operand has."""
    return count(tuple(size_of(name, sizes) for name in term))


def size_of(name: str, sizes: Sizes) -> int:
    if name.isdigit():
        return int(name)
    return sizes["count" if name == "..." else name]
