"""What the studio shows: the inputs of a composition, each with what is wrong at its path, and
beside each layer what it is and takes.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from inspect import cleandoc
from typing import Any

from kernels.architecture import ARCHITECTURES, DEFAULTS, OPTIONS, SECOND
from kernels.data import DataShape, Target
from kernels.fields import Choice, Field, Flag
from kernels.patterns import MODULES
from kernels.settings import (
    AUGMENTATION,
    BELONGS,
    DIVERGENT,
    FIELDS,
    LOSSES,
    REQUIRED,
    SCHEDULE,
    Augmentation,
    Schedule,
    Settings,
)
from training.forms.compositions import WORDS, Config, digest, texts_of, usual
from training.forms.inputs import HINTS, Input, Row
from training.services import Preview

ASKED: Mapping[Target, str] = {
    Target.CLASSES: "one of {size} classes",
    Target.STEP_CLASSES: "one of {size} classes at each step",
    Target.VALUES: "{size} numbers",
    Target.MARKS: "yes or no to {size} questions",
    Target.NEXT: "the next token",
    Target.ACTIONS: "one of {size} actions",
}
BARE = re.compile(r"(\w+(?:\.\w+)*\[\d+\])\.(?!params\.|type$)(.+)")


@dataclass
class Studio:
    """A composition, ready to be drawn. Whatever is wrong stands beside its input, or else in
    `further`. `focus` names the act and the layer where a person goes on.
    """

    config: Config
    data: DataShape
    preview: Preview
    focus: str = ""
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for problem in self.preview.problems:
            path = BARE.sub(r"\1.params.\2", problem.path)
            self.wrong.setdefault(path, []).append(problem.reason)
        self.texts = texts_of(self.config)

    @property
    def kind(self) -> str:
        return self.texts.get("architecture.type", "")

    @property
    def second(self) -> str:
        return SECOND.get(self.kind, "")

    @property
    def words(self) -> Sequence[str]:
        return sorted(WORDS)

    @property
    def as_json(self) -> str:
        return json.dumps(self.config, indent=2, ensure_ascii=False)

    @property
    def digest(self) -> str:
        return digest(self.config)

    @property
    def first_title(self) -> str:
        """What the first list is called where there are two."""
        return {"gan": "Generator", "autoencoder": "Encoder"}.get(self.kind, "")

    @property
    def focus_on_add(self) -> str:
        """The list whose last layer was just removed."""
        act, _, path = self.focus.partition(" ")
        name, _, number = path.removeprefix("architecture.").partition("[")
        return name if act == "remove" and number == "-1]" else ""

    @property
    def data_said(self) -> str:
        """What comes in and what is asked, in few words."""
        sides = " × ".join(map(str, self.data.input))
        given = f"{sides} numbers"
        if self.data.vocabulary:
            given = f"{sides} tokens of {self.data.vocabulary:,}"
        return f"{given} in, {ASKED[self.data.target].format(size=self.data.size)} out."

    @property
    def seconds_said(self) -> str:
        seconds = self.preview.seconds
        for unit, length in (("hours", 3600.0), ("minutes", 60.0), ("seconds", 1.0)):
            if seconds >= 1.5 * length:
                return f"{seconds / length:.0f} {unit}"
        return "a second or less"

    @property
    def told(self) -> str:
        """All of it in one line, for who hears the page."""
        quote, mistakes = self.preview.quote, self.mistakes
        if mistakes:
            first = f"{mistakes[0][1]}: {mistakes[0][2]}"
            return f"{len(mistakes)} to mend. {first}"
        if quote is None:
            return self.preview.tier_problem
        return f"{quote.credits} credits at most, {quote.parameters:,} parameters."

    # ------------------------------------------------------------------------- what is drawn

    @property
    def all_rows(self) -> list[Row]:
        return [*self.rows, *self.second_rows]

    @cached_property
    def architecture(self) -> list[Input]:
        kinds = self.input("architecture.type", Choice(ARCHITECTURES), is_required=True)
        options = OPTIONS.get(self.kind, {})
        return [kinds] + [
            self.input(f"architecture.{key}", of, usual(of, DEFAULTS[key]))
            for key, of in options.items()
        ]

    @cached_property
    def rows(self) -> list[Row]:
        return list(self.rows_of("layers"))

    @cached_property
    def second_rows(self) -> list[Row]:
        return list(self.rows_of(self.second)) if self.second else []

    @cached_property
    def common(self) -> list[Input]:
        """The settings that everyone looks at."""
        losses = Choice(LOSSES.get(self.kind) or LOSSES[self.data.target])
        required = [self.input(f"training.{k}", FIELDS[k], is_required=True) for k in REQUIRED]
        return [*required, self.input("training.loss", losses, losses.known[0])]

    @cached_property
    def more(self) -> list[Input]:
        return [self.setting(key, of) for key, of in FIELDS.items() if key not in REQUIRED]

    @cached_property
    def schedule(self) -> list[Input]:
        return [
            self.input(f"training.schedule.{key}", of, usual(of, getattr(Schedule, key)))
            for key, of in SCHEDULE.items()
        ]

    @cached_property
    def augmentation(self) -> list[Input]:
        """Of pictures; else only what somebody wrote nevertheless, to be taken back."""
        found = [
            self.input(f"training.augmentation.{key}", of, usual(of, getattr(Augmentation, key)))
            for key, of in AUGMENTATION.items()
        ]
        is_of_pictures = len(self.data.input) == 3 and self.data.target is not Target.ACTIONS
        return found if is_of_pictures else [one for one in found if one.text]

    @cached_property
    def divergent(self) -> list[Input]:
        fields: dict[str, Field] = {"enabled": Flag()} | DIVERGENT
        return [self.input(f"divergent.{key}", of, is_required=True) for key, of in fields.items()]

    @property
    def patterns(self) -> Iterator[tuple[str, str, str]]:
        """Each pattern, what it does in a sentence, and its formula with all that belongs to it."""
        for name, module in MODULES.items():
            opening, _, formula = cleandoc(module.__doc__ or "").partition("\n\n")
            yield name, opening.partition(": ")[2].capitalize(), formula

    @property
    def more_is_open(self) -> bool:
        hidden = (*self.more, *self.schedule, *self.augmentation)
        return any(one.text or one.errors for one in hidden)

    def inputs(self) -> Iterator[Input]:
        """Every input there is."""
        yield from self.architecture
        for row in self.all_rows:
            yield from row.inputs
        yield from (*self.common, *self.more, *self.schedule, *self.augmentation, *self.divergent)

    @cached_property
    def mistakes(self) -> list[tuple[str, str, str]]:
        """Everything that is wrong, in the page's order: where to go, what it is called, why."""
        found = []
        for row in self.all_rows:
            name = f"{row.number}. {row.word}"
            found += [(row.id, name, error) for error in row.errors]
            found += [(i.id, f"{name}, {i.label}", e) for i in row.inputs for e in i.errors]
        of_rows = {i.name for row in self.all_rows for i in row.inputs}
        for one in self.inputs():
            if one.name not in of_rows:
                found += [(one.id, one.label, error) for error in one.errors]
        return found + [("layers", path, error) for path, error in self.further]

    @cached_property
    def further(self) -> list[tuple[str, str]]:
        """What is wrong at no input of the page."""
        rows = self.all_rows
        shown = {one.name for one in self.inputs()}
        shown |= {row.path for row in rows} | {f"{row.path}.type" for row in rows}
        return [
            (path, e) for path, errors in self.wrong.items() if path not in shown for e in errors
        ]

    # ---------------------------------------------------------------------------- how it is made

    def input(self, name: str, of: Field, usual: str = "", *, is_required: bool = False) -> Input:
        return Input(
            name=name,
            field=of,
            text=self.texts.get(name, ""),
            usual=usual,
            is_required=is_required,
            hint=HINTS.get(name, ""),
            errors=self.wrong.get(name, ()),
        )

    def setting(self, key: str, of: Field) -> Input:
        found = self.input(f"training.{key}", of, usual(of, getattr(Settings, key, None)))
        if key in BELONGS and not found.hint:
            return replace(found, hint=f"only of {', '.join(BELONGS[key][1])}")
        return found

    def rows_of(self, name: str) -> Iterator[Row]:
        listed = self.config["architecture"].get(name, ())
        held = self.preview.held_bytes
        for number, layer in enumerate(listed):
            path, word = f"architecture.{name}[{number}]", layer["type"]
            fields, defaults = self.word_of(word)
            estimate = self.preview.words.get(path)
            yield Row(
                path=path,
                word=word,
                inputs=[
                    self.input(
                        f"{path}.params.{key}",
                        of,
                        usual(of, defaults.get(key)),
                        is_required=key not in defaults,
                    )
                    for key, of in fields.items()
                ],
                estimate=estimate,
                share=estimate.bytes / held if estimate and held else 0.0,
                errors=[*self.wrong.get(path, ()), *self.wrong.get(f"{path}.type", ())],
                number=number + 1,
                is_first=number == 0,
                is_last=number == len(listed) - 1,
                act=self.focus.partition(" ")[0] if self.focus.endswith(f" {path}") else "",
            )

    def word_of(self, word: str) -> tuple[Mapping[str, Field], Mapping[str, Any]]:
        known = WORDS.get(word)
        return (known.fields, known.defaults) if known else ({}, {})
