"""Validations: have a model measured again, all of it or only what one asks for."""

from collections.abc import Sequence

from django.db import transaction

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from kernels.data import Target
from training.models import Job, Model, Validation, Work
from training.runner.caps import Load, require_capacity
from training.runner.hints import hint

FOLDS_MIN, FOLDS_MAX = 2, 10
FOLDS_SECONDS_MAX = 120

# Names of tests that the original knows, in both of its spellings, and the kind each belongs to.
TESTS = {
    "latency": Validation.Kind.PERFORMANCE,
    "throughput": Validation.Kind.PERFORMANCE,
    "memory": Validation.Kind.PERFORMANCE,
    "performance_benchmark": Validation.Kind.PERFORMANCE,
    "accuracy": Validation.Kind.ACCURACY,
    "precision": Validation.Kind.ACCURACY,
    "recall": Validation.Kind.ACCURACY,
    "f1_score": Validation.Kind.ACCURACY,
    "accuracy_test": Validation.Kind.ACCURACY,
    "noise_resistance": Validation.Kind.ROBUSTNESS,
    "adversarial": Validation.Kind.ROBUSTNESS,
    "edge_cases": Validation.Kind.ROBUSTNESS,
    "robustness_test": Validation.Kind.ROBUSTNESS,
    "bias_detection": Validation.Kind.COMPREHENSIVE,
}


class NotOwner(Refusal):
    """Only the owner may do this."""

    status = 403


class InvalidValidation(Refusal):
    """What was asked for cannot be measured; says why, and what can."""

    status = 422


def kind_of_tests(names: Sequence[str]) -> Validation.Kind:
    """The kind that has all of these tests; none asks for everything."""
    unknown = [name for name in names if name not in TESTS and name not in Validation.Kind.values]
    if unknown:
        known = ", ".join([*Validation.Kind.values, *TESTS])
        raise InvalidValidation(f"tests: {unknown[0]!r} is not one of {known}.")
    kinds = {TESTS.get(name) or Validation.Kind(name) for name in names}
    return kinds.pop() if len(kinds) == 1 else Validation.Kind.COMPREHENSIVE


def check_folds(job: Job, folds: int) -> None:
    """Only what takes rows with classes or values is trained again, and only as far as is fair."""
    if not FOLDS_MIN <= folds <= FOLDS_MAX:
        raise InvalidValidation(
            f"folds: must be 0 for none, or {FOLDS_MIN} to {FOLDS_MAX}; got {folds}."
        )
    is_supervised = job.dataset.data_shape.target in (Target.CLASSES, Target.VALUES)
    is_series = job.dataset.recipe.get("kind") == "series"
    if (
        not is_supervised
        or is_series
        or job.config["architecture"].get("type") in ("gan", "autoencoder")
    ):
        raise InvalidValidation(
            "folds: only networks for classes or values in tables, texts and pictures are trained "
            "on other splits; ask for 0 folds."
        )
    if job.is_distributed:
        raise InvalidValidation("folds: a cluster trained this model; ask for 0 folds.")
    seconds = job.compute_seconds * folds
    if seconds > FOLDS_SECONDS_MAX:
        raise InvalidValidation(
            f"folds: {folds} trainings would take about {seconds:.0f} s; at most "
            f"{FOLDS_SECONDS_MAX} s are done. Ask for fewer, or for 0."
        )


@transaction.atomic
def validate_model(
    *,
    actor: User,
    model: Model,
    kind: Validation.Kind = Validation.Kind.COMPREHENSIVE,
    tests: Sequence[str] = (),
    folds: int = 0,
) -> Validation:
    """Queue a validation; one that already waits is returned instead of a second.

    `tests` are names of the original (see TESTS) and say the kind where there are any.
    """
    if model.owner_id != actor.pk:
        raise NotOwner("Only the owner of a model may have it validated.")
    if tests:
        kind = kind_of_tests(tests)
    if folds:
        check_folds(model.job, folds)
    Model.objects.select_for_update().get(pk=model.pk)  # a second click finds the first's row
    waiting = model.validations.filter(status__in=Work.OPEN, kind=kind, folds=folds).first()
    if waiting is not None:
        return waiting
    require_capacity(actor.pk, Load.VALIDATIONS)
    validation = Validation.objects.create(
        model=model,
        kind=kind,
        folds=folds,
        request_id=governance.request_id(),
    )
    governance.record(
        actor=actor, verb="validate_model", subject=validation, details={"kind": str(kind)}
    )
    hint("training.tasks.validate_model", validation_id=str(validation.pk))
    return validation
