"""Up to four templates side by side, each figure with the interval its validation gives it."""

from collections.abc import Sequence
from dataclasses import dataclass

from governance.services import Refusal
from marketplace.models import Template, TemplateVersion
from training import services as training

TEMPLATES_MAX = 4
NAME_LENGTH_SHOWN = 40


class TooManyTemplates(Refusal):
    """More columns than anybody reads side by side."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A template as it is sold now, and the name of its line."""

    template: Template
    version: TemplateVersion
    name: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One figure of one template; `is_best` where no other is better on the same rows."""

    value: float
    low: float | None
    high: float | None
    is_best: bool


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure of all templates, in their order; None where it was not measured."""

    name: str
    lower_is_better: bool
    values: list[Measured | None]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    columns: list[Column]
    metrics: list[Metric]
    is_same_data: bool
    loss: dict[str, list[tuple[int, float]]]  # epoch, loss
    is_validated: bool  # the loss; else it is that of the rows that trained


def compare_templates(*, templates: Sequence[Template]) -> Comparison:
    """Compare templates that the caller may see. A best is named only among figures that were
    measured on the rows of one dataset.
    """
    if len(templates) > TEMPLATES_MAX:
        raise TooManyTemplates(
            f"t: {len(templates)} templates were chosen; compare at most {TEMPLATES_MAX} at once."
        )
    columns = [
        Column(
            template=template,
            version=template.shown,
            name=f"{number} {template.name[:NAME_LENGTH_SHOWN]}",
        )
        for number, template in enumerate(templates, start=1)
    ]
    is_same_data = len({column.version.model.job.dataset_id for column in columns}) < 2
    names: dict[str, None] = {}
    for column in columns:
        if column.version.validation:
            names |= dict.fromkeys(column.version.validation.metrics)
    is_validated, loss = losses_of(columns)
    return Comparison(
        columns=columns,
        metrics=[metric(name, columns, is_same_data=is_same_data) for name in names],
        is_same_data=is_same_data,
        loss=loss,
        is_validated=is_validated,
    )


def losses_of(columns: Sequence[Column]) -> tuple[bool, dict[str, list[tuple[int, float]]]]:
    """All of one kind: whether on validation rows, and the curve of each that has one."""
    curves = {c.name: training.job_curves(job=c.version.model.job) for c in columns}
    is_validated = all(each.get("validation_loss") for each in curves.values())
    kind = "validation_loss" if is_validated else "train_loss"
    return is_validated, {name: each[kind] for name, each in curves.items() if each.get(kind)}


def metric(name: str, columns: Sequence[Column], *, is_same_data: bool) -> Metric:
    found = [
        column.version.validation.metrics.get(name) if column.version.validation else None
        for column in columns
    ]
    lower_is_better = any(one.get("lower_is_better", False) for one in found if one)
    values = [one["value"] for one in found if one]
    best = (min if lower_is_better else max)(values)
    is_contest = is_same_data and len(values) > 1
    return Metric(
        name=name,
        lower_is_better=lower_is_better,
        values=[
            Measured(
                value=one["value"],
                low=one.get("low"),
                high=one.get("high"),
                is_best=is_contest and one["value"] == best,
            )
            if one
            else None
            for one in found
        ],
    )
