"""What a draft still lacks before it can be submitted, by the step where it is mended, and how
complete what it says is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from marketplace.models import TemplateVersion
from training import services as training
from training.models import Card

DESCRIPTION_LENGTH_GOOD = 200  # letters; what is shorter says little more than its name


class Step(StrEnum):
    """Of publishing, in order; each is a page."""

    MODEL = "model"
    VALIDATE = "validate"
    CARD = "card"
    FILES = "files"
    PRICE = "price"
    SUBMIT = "submit"

    @property
    def label(self) -> str:
        return LABELS[self]


LABELS = {
    Step.MODEL: "Model",
    Step.VALIDATE: "Validate",
    Step.CARD: "Card",
    Step.FILES: "Files and licence",
    Step.PRICE: "Plan and price",
    Step.SUBMIT: "Submit",
}
# Where a fault of the model's card is mended; all others are of its measurements.
STEP_OF_FIELD = {
    "licence": Step.FILES,
    "intended_use": Step.CARD,
    "limits": Step.CARD,
    "ethics": Step.CARD,
}


@dataclass(frozen=True, kw_only=True)
class Lack:
    """What is missing and how to mend it; `url` where a page outside of publishing mends it."""

    step: Step
    what: str
    remedy: str
    field: str = ""
    url: str = ""


def lacks_of(
    *, version: TemplateVersion, faults: Sequence[training.Fault] | None = None
) -> list[Lack]:
    """Nothing where it can be submitted. In the order of the steps. `faults` are those of its
    model, where the caller has them.
    """
    if faults is None:
        faults = training.publication_faults(model=version.model)
    found = [*model_lacks(faults), *own_lacks(version)]
    return sorted(found, key=lambda lack: ORDER[lack.step])


ORDER = {step: place for place, step in enumerate(Step)}


def model_lacks(faults: Sequence[training.Fault]) -> list[Lack]:
    return [
        Lack(
            step=STEP_OF_FIELD.get(fault.field, Step.VALIDATE),
            what=fault.what,
            remedy=fault.remedy,
            field=fault.field,
            url="" if fault.field else fault.url,
        )
        for fault in faults
    ]


def own_lacks(version: TemplateVersion) -> list[Lack]:
    found = []
    if not version.words.get("description", "").strip():
        found.append(
            Lack(
                step=Step.CARD,
                what="It has no description.",
                remedy="Say what it is for, what it was trained on and where it fails.",
                field="description",
            )
        )
    found += [
        Lack(
            step=Step.FILES,
            what=f"The {file.label} file is not made yet.",
            remedy="Have it made, or leave it out.",
            field="offered",
        )
        for file in missing_files(version)
    ]
    if not version.changelog.strip():
        found.append(
            Lack(
                step=Step.SUBMIT,
                what="It does not say what is new.",
                remedy="Write a changelog: what people get who have the version before.",
                field="changelog",
            )
        )
    return found


def missing_files(version: TemplateVersion) -> list[training.ModelFile]:
    """What buyers were to get and nobody made yet; the model's own file is always there."""
    if set(version.files) <= {"safetensors"}:
        return []
    files = training.files_of(version.model)
    return [file for file in files if file.kind in version.files and not file.is_ready]


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One thing that a reader of the page looks for. Without what is needed nobody reads it."""

    label: str
    field: str
    step: Step
    is_there: bool
    is_needed: bool = False


def completeness(
    *, version: TemplateVersion, card: Card, said: Mapping[str, str] | None = None
) -> list[Piece]:
    """Of what is stored, or, where somebody is writing, of what is `said`."""
    texts = {
        **version.words,
        "licence": card.licence,
        "intended_use": card.intended_use,
        "limits": card.limits,
        "ethics": card.ethics,
        **(said or {}),
    }
    written = {name: str(text).strip() for name, text in texts.items()}
    length = len(written.get("description", ""))

    def piece(label: str, field: str, step: Step = Step.CARD, *, is_needed: bool = True) -> Piece:
        is_there = bool(written.get(field))
        return Piece(label=label, field=field, step=step, is_there=is_there, is_needed=is_needed)

    return [
        piece("Name", "name"),
        piece("Summary in a sentence", "summary", is_needed=False),
        piece("Description", "description"),
        Piece(
            label=f"Description of {DESCRIPTION_LENGTH_GOOD} letters or more",
            field="description",
            step=Step.CARD,
            is_there=length >= DESCRIPTION_LENGTH_GOOD,
        ),
        piece("Intended use", "intended_use"),
        piece("Limits", "limits"),
        piece("Ethical considerations", "ethics"),
        piece("Licence", "licence", Step.FILES),
        Piece(
            label="Example inputs",
            field="examples",
            step=Step.FILES,
            is_there=bool(version.examples),
        ),
    ]
