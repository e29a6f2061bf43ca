"""How rows are split into those that train, validate and test: once, before anything is learned.

random       each row by itself
stratified   each row by itself, every class in the same proportion in all parts
time         the first rows train, the last ones test, in the order of a column or of the file
group        rows that belong together (a patient, a shop) stay together
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from kernels.fields import Choice, Field, Problem, Reader, Real, Whole

SHARES_SUM_WITHIN = 1e-6
SEED_MAX = 2**31 - 1


class SplitRefused(ValueError):
    """A split that cannot be, or leaves a part without rows; says what to do. `problems` are those
    of a split that somebody wrote, each with its path.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class SplitKind(StrEnum):
    RANDOM = "random"
    STRATIFIED = "stratified"
    TIME = "time"
    GROUP = "group"


@dataclass(frozen=True)
class Split:
    """`column` is the one that time or groups are read from, and empty for the other kinds; without
    it the file's order is the order of time.
    """

    kind: SplitKind = SplitKind.RANDOM
    train: float = 0.7
    validation: float = 0.15
    test: float = 0.15
    seed: int = 0
    column: str = ""

    @classmethod
    def from_json(cls, raw: object) -> "Split":
        """Raises SplitRefused with all that is wrong."""
        reader = Reader()
        given = reader.section(raw, "split", ["kind"], list(FIELDS)[1:] + ["column"])
        found = reader.fields(given, "split", FIELDS)
        column = given.get("column", "")
        if not isinstance(column, str):
            reader.refuse("split.column", "must be the name of a column, or empty")
        if not reader.problems:
            kind = SplitKind(found["kind"])
            goes_by = column if kind in (SplitKind.TIME, SplitKind.GROUP) else ""
            split = cls(**found | {"kind": kind, "column": goes_by})
            total = split.train + split.validation + split.test
            if abs(total - 1) <= SHARES_SUM_WITHIN:
                return split
            reader.problems.append(Problem("split", f"the shares make {total:g}; they must make 1"))
        raise SplitRefused("; ".join(map(str, reader.problems)), reader.problems)

    def to_json(self) -> dict[str, Any]:
        return vars(self) | {"kind": self.kind.value}


FIELDS: Mapping[str, Field] = {
    "kind": Choice(list(SplitKind)),
    "train": Real(0.05, 0.95),
    "validation": Real(0, 0.9),
    "test": Real(0.01, 0.9),
    "seed": Whole(0, SEED_MAX),
}
