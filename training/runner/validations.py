"""Measures a model: how good its answers are on rows it never saw, how fast it is, what disturbs
it, whom it treats otherwise, what it looks at, and what its file holds.

Each section is one noun beside this module. The kinds are the original's: `performance` times it,
`accuracy` judges its answers, `robustness` disturbs its rows, `comprehensive` does all of it and
alone leads to a score and a certificate.
"""

import math
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from governance import services as governance
from kernels import build, tensors, trainer
from kernels.config import ConfigError
from kernels.data import DataError
from kernels.explain import NotExplained
from kernels.limits import SandboxError
from kernels.predictor import RowsRefused
from training.models import Validation, Work
from training.runner import (
    ancestry,
    beginnings,
    benchmarks,
    blobs,
    certificates,
    compatibility,
    copies,
    fairness,
    folds,
    importance,
    leases,
    notices,
    quality,
    receipts,
    robustness,
    scans,
)
from training.runner.figures import Quality, TooFewRows, finite
from training.runner.quality.anomalies import OneKind
from training.runner.subjects import Judged, Subject, subject_of

MEGABYTE = 1_000_000
COLUMNS = ("accuracy", "precision", "recall", "f1")
LATENCIES = ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms")

# What makes a measurement impossible: trying again would end the same way. Folds and the judge of
# samples train networks of their own.
FAULTS = (
    ConfigError,
    DataError,
    trainer.NonFinite,
    SandboxError,
    benchmarks.StopwatchFailed,
    tensors.ModelRefused,
    RowsRefused,
    NotExplained,
    OneKind,
    TooFewRows,
    blobs.BlobFault,
)

Section = Callable[[Validation, Subject], dict[str, Any]]  # fields of the row; `report` is one


def validate_model(validation_id: str) -> None:
    """Measure, if it is to be had; what was taken over meanwhile counts for nothing."""
    leases.do(Validation, validation_id, measure, on_poison=notices.tell_quarantined)


def measure(validation: Validation, *, collecting: Section | None = None) -> None:
    """`collecting` stands in for `collect`, for who knows already what it would find."""
    leases.write(validation, status=Work.Status.RUNNING, progress=0.0)
    try:
        model, beat = validation.model, leases.heartbeat_of_parts(validation)
        subject = subject_of(model.job, model.sha256, module=build.module(), beat=beat)
        fields = (collecting or collect)(validation, subject)
    except FAULTS as error:
        give_up(validation, code=leases.fault_code(error), message=str(error))
        return
    conclude(validation, fields, seed=subject.seed)


@transaction.atomic
def give_up(validation: Validation, *, code: str, message: str) -> None:
    leases.fail(validation, code=code, message=message)
    notices.tell_not_validated(validation, code=code, why=message)


@transaction.atomic
def conclude(validation: Validation, found: dict[str, Any], *, seed: int) -> None:
    """Write what was found, with its receipt, and the certificate where all was measured."""
    receipt = receipts.receipt_of(
        validation,
        seed=seed,
        figures=sorted(found.get("metrics", {})),
        copies=found["report"].get("copies"),
    )
    report = dict(found["report"])
    receipt["intervals"] = report.pop("intervals", {})
    fields = found | {"report": report, "receipt": receipt}
    if validation.kind == Validation.Kind.COMPREHENSIVE:
        fields |= certified(fields)
    leases.write(
        validation,
        status=Work.Status.DONE,
        stage="",
        progress=1.0,
        lease_until=None,
        finished_at=Now(),
        **fields,
    )
    governance.record(actor=None, verb="validate_model", subject=validation)
    notices.tell_validated(validation)


def collect(validation: Validation, subject: Subject) -> dict[str, Any]:
    """What all sections of this kind find: fields of the row."""
    sections = list(sections_of(validation))
    shown = {"judged": subject.judged.value, "image_shape": subject.image_shape}
    fields: dict[str, Any] = {"report": shown}
    for number, (stage, section) in enumerate(sections):
        leases.write(validation, stage=stage, progress=number / len(sections))
        leases.renew(validation)
        found = section(validation, subject)
        fields["report"] |= finite(found.pop("report"))
        fields |= found
    return fields


def sections_of(validation: Validation) -> Iterator[tuple[str, Section]]:
    """What is measured, in order, each with its words for those who wait."""
    kind, every = validation.kind, validation.kind == Validation.Kind.COMPREHENSIVE
    if every or kind == Validation.Kind.ACCURACY:
        yield "judging its answers to the test rows", judge
    if every or kind == Validation.Kind.PERFORMANCE:
        yield "timing single rows, a server and batches", time_it
    if every or kind == Validation.Kind.ROBUSTNESS:
        yield "disturbing the test rows", disturb
    if every:
        yield "comparing groups", compare_groups
        yield "asking what it looks at", explain
        yield "looking through its file", scan_file
        yield "asking it in other places", ask_elsewhere
    if validation.folds:
        yield f"training it {validation.folds} times on other splits", cross_validate


def judge(validation: Validation, subject: Subject) -> dict[str, Any]:
    """Raises TooFewRows where the first figure came to none on so few rows; another that did is
    left out. What these data define for no model is missing, and the report says why.
    """
    found = quality.measure(subject)
    is_defined = found.primary not in found.undefined
    if is_defined and not math.isfinite(found.figures[found.primary].value):
        raise TooFewRows(found.primary, found.rows)
    figures = {
        name: figure.to_json()
        for name, figure in found.figures.items()
        if math.isfinite(figure.value)
    }
    # columns of classifiers; precision and recall of anomalies are the same in meaning
    columns = {name: figures[name]["value"] for name in COLUMNS if name in figures}
    report = {"primary": found.primary, **found.report, **acquaintances(validation, subject)}
    report["intervals"] = intervals(found, seed=subject.seed)
    if found.undefined:
        report["undefined"] = dict(found.undefined)
    return {"metrics": figures, "rows": found.rows, "report": report, **columns}


def intervals(found: Quality, *, seed: int) -> dict[str, Any]:
    """How the intervals of these figures came to be, for the receipt: `figures` names those that
    came otherwise than the rest.
    """
    others = {name: method.to_json() for name, method in found.others.items()}
    return {**found.method.to_json(), "level": 0.95, "seed": seed, "figures": others}


def acquaintances(validation: Validation, subject: Subject) -> dict[str, Any]:
    """The test rows that trained, and of a fine-tuned model those that its ancestors were shown; a
    player has none.
    """
    job = validation.model.job
    found: dict[str, Any] = {}
    if (copies_found := copies.trained_test_rows(subject)) is not None:
        found["copies"] = copies_found
    if beginnings.origin_of(job) is not None and subject.judged is not Judged.EPISODES:
        found["ancestors"] = ancestry.seen_test_rows(job, subject.rows, beat=subject.beat)
    return found | {"leaks": copies.leaks(found)}


def time_it(validation: Validation, subject: Subject) -> dict[str, Any]:
    measured = benchmarks.measure(subject, on_wait=partial(leases.wait, validation))
    columns = (*LATENCIES, "samples_per_second", "peak_memory_mb")
    return {
        "model_size_mb": len(subject.content) / MEGABYTE,
        **{name: measured.pop(name) for name in columns},
        "report": measured,
    }


def disturb(validation: Validation, subject: Subject) -> dict[str, Any]:
    return {"report": {"robustness": robustness.measure(subject)}}


def compare_groups(validation: Validation, subject: Subject) -> dict[str, Any]:
    return {"report": {"fairness": fairness.measure(subject)}}


def explain(validation: Validation, subject: Subject) -> dict[str, Any]:
    return {"report": {"importance": importance.measure(subject)}}


def scan_file(validation: Validation, subject: Subject) -> dict[str, Any]:
    return {"report": {"scan": scans.scan("model.safetensors", subject.content)}}


def ask_elsewhere(validation: Validation, subject: Subject) -> dict[str, Any]:
    """With test rows, or made-up ones where a row of the data is not what the network takes."""
    is_given_other_rows = subject.judged in (Judged.SAMPLES, Judged.EPISODES)
    some = compatibility.ROWS_MAX
    made_up = subject.predictor.example_rows
    rows = made_up(some) if is_given_other_rows else subject.some(some).features
    found = compatibility.compatibility(subject.content, rows, beat=subject.beat)
    return {"report": {"compatibility": found}}


def cross_validate(validation: Validation, subject: Subject) -> dict[str, Any]:
    found = folds.measure(subject, validation.model.job, folds=validation.folds)
    return {"report": {"folds": found}}


def certified(fields: dict[str, Any]) -> dict[str, Any]:
    """Score, level and number of the certificate; it ends when its time is over. None where the
    first figure has no value, since two fifths of a score would stand on nothing; nor where it is
    of rows that a training read, nor where there is nothing to hold it against: `uncertified` says
    so, since the figure itself has a value.
    """
    primary = fields["report"]["primary"]
    if primary not in fields["metrics"] or copies.leaks(fields["report"]):
        return {}
    figure = fields["metrics"][primary]
    if certificates.FLOORS[primary].is_of_baseline and "baseline" not in figure:
        why = (
            f"{primary.replace('_', ' ')} is held against what is had without a network, which is "
            "not finite on these rows"
        )
        return {"report": fields["report"] | {"uncertified": why}}
    scored = certificates.certify(
        primary=primary,
        figure=figure,
        latency_ms=fields["report"]["mean_latency_ms"],
        memory_mb=fields["peak_memory_mb"],
    )
    certificate = {
        "thresholds": scored.thresholds,
        "levels": [[least, level.value] for least, level in certificates.LEVELS],
        "unlimited_score": scored.unlimited,
        "held_back": scored.held_back,
        "valid_days": certificates.VALID.days,
    }
    return {
        "score": scored.score,
        "certificate": scored.level,
        "certificate_id": uuid.uuid4(),
        "expires_at": Now() + certificates.VALID,
        "report": fields["report"] | {"certificate": certificate},
    }
