"""What begins and ends in one transaction of the caller's: a job's row with the hold that pays for
it, and the first measurement of a model.
"""

from django.db.models.functions import Now

from billing import services as billing
from governance import services as governance
from governance.models import User
from training.models import NAME_LENGTH_MAX, Dataset, Event, Job, Model, Validation, Work
from training.runner import queue
from training.runner.beginnings import Beginning
from training.runner.caps import Load, require_capacity
from training.runner.hints import hint
from training.runner.plans import plan_of
from training.runner.quotes import InvalidConfig, NotReady, Quote
from training.runner.usual import learns_of

SEED_MAX = 2**63 - 1
ANEW = Beginning()


def suffixed(name: str, suffix: str) -> str:
    """A name made of another, which is cut where both are longer than a name may be."""
    return f"{name[: NAME_LENGTH_MAX - len(suffix)]}{suffix}"


def place_job(
    *,
    owner: User,
    payer: User | None = None,
    dataset: Dataset,
    quote: Quote,
    seed: int,
    name: str,
    steps: int,
    is_distributed: bool = False,
    repeats: Job | None = None,
    start: Beginning = ANEW,
    is_trial: bool = False,
) -> Job:
    """The row and its hold, in the caller's transaction; nobody is told to work on it. A trial is
    bounded by its search, and what another pays for by what they may have under way, whose place
    in line it takes.
    """
    if not 0 <= seed <= SEED_MAX:
        raise InvalidConfig(f"seed: {seed} is not between 0 and {SEED_MAX}.")
    if not name.isprintable():
        raise InvalidConfig("name: must be text that people can see, in one line.")
    keep_dataset(owner=owner, dataset=dataset)
    payer = payer or owner
    if not is_trial and payer == owner:
        require_capacity(owner.pk, Load.JOBS)
    job = Job.objects.create(
        owner=owner,
        payer=payer,
        dataset=dataset,
        name=name or suffixed(dataset.name, f", {quote.parameters:,} parameters"),
        category=quote.category,
        metric=quote.metric,
        config=quote.config,
        tier=quote.tier,
        seed=seed,
        priority=plan_of(payer.pk).priority,
        repeats=repeats,
        **vars(start),
        is_distributed=is_distributed,
        parameters=quote.parameters,
        memory_bytes=quote.memory_bytes,
        flops=quote.flops,
        epochs=quote.epochs,
        steps_total=steps,
        quote_microcredits=quote.microcredits,
        request_id=governance.request_id(),
    )
    job.hold = billing.hold(
        owner=payer,
        amount_microcredits=quote.microcredits,
        key=f"job/{job.pk}",
        reason=f"Training “{job.name}”",
    )
    job.save(update_fields=["hold"])
    governance.record(
        actor=payer, verb="submit_job", subject=job, details={"quote": quote.microcredits}
    )
    usual = learns_of(job)
    if usual is not None:
        said = f"Learns only from rows of “{dataset.classes[usual]}”, the usual class."
        Event.objects.create(job=job, message=said)
    Event.objects.create(job=job, message=f"Queued; at most {quote.credits} credits are held.")
    return job


def withdraw_job(job: Job, *, why: str) -> bool:
    """End an open job: what was captured stays, the rest of its hold goes back. False where it is
    over already.
    """
    rows = Job.objects.filter(pk=job.pk, status__in=Work.OPEN)
    if not rows.update(status=Work.Status.CANCELLED, lease_until=None, finished_at=Now()):
        return False
    job.refresh_from_db()
    if job.hold is not None:
        billing.release(hold=job.hold)
    Event.objects.create(job=job, message=why)
    queue.after_end(job)
    return True


def place_validation(model: Model) -> None:
    """The measurement that a model has without being asked for."""
    validation = Validation.objects.create(model=model, request_id=model.job.request_id)
    hint("training.tasks.validate_model", validation_id=str(validation.pk))


def keep_dataset(*, owner: User, dataset: Dataset) -> None:
    """Keep the data as they were looked at, and there, until the caller's row refers to them.

    The key of that row is checked only when the transaction ends, so it keeps nobody from deleting
    them before; this lock does. Bundled data are nobody's to correct or delete.
    """
    if dataset.owner_id not in (None, owner.pk):
        raise governance.NotAllowed(f"The dataset “{dataset.name}” is not yours to train on.")
    rows = Dataset.objects.filter(pk=dataset.pk, sha256=dataset.sha256)
    if dataset.owner_id is not None:
        rows = rows.select_for_update(no_key=True)
    if rows.first() is None:
        raise NotReady(
            f"The dataset “{dataset.name}” was corrected just now, or deleted; look at it anew."
        )
