"""One input of a composition, and one layer with its inputs, as they are drawn."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernels.fields import Choice, Field, Flag, Powers, Real, Reals, Sides, Whole
from kernels.outline import LayerEstimate

HINTS: Mapping[str, str] = {
    "training.patience": "epochs without a better validation loss before it stops; none: never",
    "training.dynamic_batch": "how many batches one step may gather at most",
    "training.shards": "parts of a batch that run side by side; part of the result",
    "training.class_weights": "one number for each class, in the order of the classes",
    "training.schedule.patience": "epochs without a better validation loss before the rate falls",
    "training.augmentation.shift": "pixels to each side at most",
    "training.augmentation.flip": "left to right, every second picture; not where sides matter, as "
    "in letters",
    "training.augmentation.contrast": "by which share it is changed at most",
    "training.augmentation.brightness": "by which share it is changed at most",
    "divergent.factor": "how strong",
    "architecture.latent": "how many random numbers an example is made from",
    "architecture.beta": "how much the code must be like random numbers",
    "architecture.noise": "how much noise the input gets, which the output must not show",
}
NAMES: Mapping[str, str] = {"l1": "L1 penalty", "l2": "L2 penalty", "kind": "Schedule"}


@dataclass(frozen=True)
class Input:
    """One value, as its input shows it; `name` is its path in the configuration."""

    name: str
    field: Field
    text: str
    usual: str = ""
    is_required: bool = False
    hint: str = ""
    errors: Sequence[str] = ()

    @property
    def id(self) -> str:
        return identifier(self.name)

    @property
    def label(self) -> str:
        key = self.name.rpartition(".")[2]
        return NAMES.get(key, key.replace("_", " ").capitalize())

    @property
    def is_flag(self) -> bool:
        return isinstance(self.field, Flag)

    @property
    def choices(self) -> Sequence[tuple[str, str]]:
        """Values and what they are called; what is there is among them, right or not."""
        if not isinstance(self.field, Choice):
            return ()
        known = list(self.field.known)
        if self.text not in ("", *known):
            known.append(self.text)
        found = [(one, one.replace("_", " ")) for one in known]
        if self.is_required or self.text:
            return found
        if not self.usual:
            return [("", "as the data ask"), *found]
        return [("" if one == self.usual else one, name) for one, name in found]

    @property
    def keys(self) -> str:
        """Which keyboard a telephone should show."""
        if isinstance(self.field, Whole | Powers):
            return "numeric"
        return "decimal" if isinstance(self.field, Real) else "text"

    @property
    def about(self) -> str:
        """What may stand here, in few words."""
        match self.field:
            case Whole(low, high):
                return f"{low:,} to {high:,}"
            case Real(low, high):
                least = "above 0," if 0 < low < 1e-4 else f"{low:g}"
                return f"{least} to {high:,.0f}" if high >= 1 else f"{least} to {high:g}"
            case Powers(high):
                return f"1, 2, 4 … {high}"
            case Sides():
                return "such as 8, 8, 1"
            case Reals():
                return "such as 1, 2.5"
        return ""

    @property
    def said(self) -> str:
        """The hint below it: what it is for, and what may stand there."""
        return (
            f"{self.hint} ({self.about})" if self.hint and self.about else self.hint or self.about
        )


@dataclass(frozen=True)
class Row:
    """One layer of a list, counted from 1 for people and from 0 in paths."""

    path: str
    word: str
    inputs: Sequence[Input]
    estimate: LayerEstimate | None
    share: float
    errors: Sequence[str]
    number: int
    is_first: bool
    is_last: bool
    act: str = ""  # what a person has just done with it

    @property
    def focus(self) -> str:
        """Where a person goes on: the same button, or the other way where there is no further."""
        match self.act:
            case "up":
                return "down" if self.is_first else "up"
            case "down":
                return "up" if self.is_last else "down"
            case "add" | "copy":
                return "inputs" if self.inputs else "remove"
        return self.act

    @property
    def share_said(self) -> str:
        percent = 100 * self.share
        return f"{percent:.0f} %" if percent >= 1 else "under 1 %"

    @property
    def id(self) -> str:
        return identifier(self.path)

    @property
    def place(self) -> str:
        """As the buttons' actions name it: `layers.2`."""
        name, _, number = self.path.removeprefix("architecture.").rpartition("[")
        return f"{name}.{number.rstrip(']')}"


def identifier(path: str) -> str:
    """A path as an id of the page."""
    return re.sub(r"[^\w]+", "-", path).strip("-")
