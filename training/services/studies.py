"""What the divergent patterns do: their formulas, and their effect as measured on bundled data."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import mean, stdev

from django.db import transaction

from governance import services as governance
from governance.models import User
from kernels.patterns import MODULES
from training.models import Dataset, PatternStudy, Work
from training.runner.hints import hint
from training.services.presets import PRESETS

# Small, and all of classes, so that one scale serves them all.
STUDIED = ("iris", "wine", "breast-cancer", "digits")
SEEDS = 5
FACTOR = 0.3


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What a pattern changed on one dataset: loss and accuracy minus those of the plain runs, as
    means over the seeds, with the standard error of the first.
    """

    dataset: Dataset
    loss: float
    loss_error: float
    accuracy: float

    @property
    def is_clear(self) -> bool:
        """Further from nothing than chance would easily bring it."""
        return abs(self.loss) > 2 * self.loss_error


@dataclass(frozen=True)
class Paragraph:
    text: str
    is_formula: bool


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """`summary` and `told` are the words of the module that computes it."""

    name: str
    summary: str
    told: list["Paragraph"]
    effects: list[Effect]

    @property
    def title(self) -> str:
        return f"What {self.name} changed"

    @property
    def changes(self) -> dict[str, tuple[float, float]]:
        """Of the loss, with two standard errors."""
        return {e.dataset.name: (e.loss, 2 * e.loss_error) for e in self.effects}

    @property
    def verdict(self) -> str:
        """What may be said of it, and no more."""
        clear = [effect for effect in self.effects if effect.is_clear]
        better = [effect.dataset.name for effect in clear if effect.loss < 0]
        worse = [effect.dataset.name for effect in clear if effect.loss > 0]
        said = [f"clearly better on {', '.join(better)}"] if better else []
        said += [f"clearly worse on {', '.join(worse)}"] if worse else []
        if len(clear) < len(self.effects):
            said.append("else no clear difference" if clear else "no clear difference")
        words = "; ".join(said)
        return f"{words[:1].upper()}{words[1:]}."


@dataclass(frozen=True, kw_only=True)
class Patterns:
    """All of them, and how they were measured; `seeds` is 0 where nothing was yet."""

    patterns: list[Pattern]
    factor: float
    seeds: int
    kernel_hash: str

    @property
    def is_measured(self) -> bool:
        return self.seeds > 0


@transaction.atomic
def study_patterns(*, actor: User | None = None) -> list[PatternStudy]:
    """Have the patterns measured on each of these datasets that is here."""
    request_id = governance.request_id()
    studies = []
    for dataset in Dataset.objects.filter(owner=None, slug__in=STUDIED):
        study, created = PatternStudy.objects.get_or_create(
            dataset=dataset,
            defaults={
                "config": PRESETS[dataset.slug],
                "factor": FACTOR,
                "seeds": SEEDS,
                "request_id": request_id,
            },
        )
        if created:
            governance.record(actor=actor, verb="study_patterns", subject=study)
        if not study.is_over:
            hint("training.tasks.study_patterns", study_id=str(study.pk))
        studies.append(study)
    return studies


def patterns() -> Patterns:
    """All patterns, with what was measured so far."""
    done = PatternStudy.objects.filter(status=Work.Status.DONE)
    studies = list(done.select_related("dataset"))
    return Patterns(
        patterns=[pattern_of(name, studies) for name in MODULES],
        factor=studies[0].factor if studies else FACTOR,
        seeds=studies[0].seeds if studies else 0,
        kernel_hash=studies[0].kernel_hash if studies else "",
    )


def pattern_of(name: str, studies: Iterable[PatternStudy]) -> Pattern:
    heading, *told = (inspect.getdoc(MODULES[name]) or "").split("\n\n")
    return Pattern(
        name=name,
        summary=heading.partition(": ")[2].rstrip("."),
        told=[paragraph(text) for text in told],
        effects=[effect_of(study, name) for study in studies],
    )


def paragraph(text: str) -> Paragraph:
    """What is indented is a formula and keeps its lines."""
    if text.startswith(" "):
        return Paragraph(inspect.cleandoc(text), is_formula=True)
    return Paragraph(" ".join(text.split()), is_formula=False)


def effect_of(study: PatternStudy, pattern: str) -> Effect:
    rows = study.figures[pattern]
    losses = [row["loss"] - row["plain_loss"] for row in rows]
    return Effect(
        dataset=study.dataset,
        loss=mean(losses),
        loss_error=stdev(losses) / len(losses) ** 0.5,
        accuracy=mean(row["accuracy"] - row["plain_accuracy"] for row in rows),
    )
