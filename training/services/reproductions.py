"""Run a model's training and validation again, to see whether the same comes out."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.humanize.templatetags.humanize import naturalday
from django.db import transaction
from django.db.models import Count, Max

from governance import services as governance
from governance.models import User
from governance.services import Refusal
from kernels import build
from training.models import Job, Model, Reproduction, Tier, Work
from training.runner.beginnings import beginning_like
from training.runner.caps import Load, require_capacity
from training.runner.hints import hint
from training.runner.placing import place_job
from training.runner.quotes import Quote, quote_job
from training.services.validations import NotOwner


class NotReproducible(Refusal):
    """This model cannot be made again here; the text says what is missing."""


@dataclass(frozen=True)
class Reproduced:
    """How often a model was made again, and with what answers."""

    times: int
    identical: int
    last: tuple[datetime, bool] | None  # when, and whether it was identical

    @property
    def sentence(self) -> str:
        if self.last is None:
            return "Nobody made it again yet."
        times = "once" if self.times == 1 else f"{self.times} times"
        at, is_identical = self.last
        when = naturalday(at, "j F Y")
        answer = "identical" if is_identical else "different"
        return f"Reproduced {times}, last {when}: {answer}."


def count_reproductions(*, model: Model) -> Reproduced:
    """Those without an answer do not count."""
    over = model.reproductions.exclude(is_identical=None).order_by().values("is_identical")
    rows = over.annotate(times=Count("pk"), last=Max("finished_at"))
    found = {row["is_identical"]: row for row in rows}
    return Reproduced(
        times=sum(row["times"] for row in found.values()),
        identical=found[True]["times"] if True in found else 0,
        last=max(((row["last"], same) for same, row in found.items()), default=None),
    )


def quote_reproduction(*, model: Model) -> Quote:
    """What running the training again costs at most: today's price of the same work."""
    job = model.job
    if job.is_distributed:
        raise NotReproducible(
            f"“{model.name}” was trained by a cluster, round by round over many nodes; train it "
            "again on a cluster of the same shape and compare the weights' hash."
        )
    return quote_job(dataset=job.dataset, config=job.config, tier=Tier(job.tier))


@transaction.atomic
def reproduce_model(*, actor: User, model: Model) -> Reproduction:
    """Queue the same training once more, paid by who asks; one under way is returned instead of a
    second. Same rows, split, configuration, seed, parent and kernel.
    """
    if model.owner_id != actor.pk:
        raise NotOwner("Only the owner of a model may have it reproduced.")
    return reproduce_for(asker=actor, model=model)


@transaction.atomic
def reproduce_for(*, asker: User, model: Model) -> Reproduction:
    """The same for somebody who is not the owner; the caller vouches that they may ask.

    The job is the owner's, as are the rows that it reads, the checkpoints that it leaves and what
    may be trained on from them. Who asks pays, and gets the answer alone.
    """
    Model.objects.select_for_update().get(pk=model.pk)  # a second click finds the first's row
    waiting = model.reproductions.filter(status__in=Work.OPEN).first()
    if waiting is not None:
        return waiting
    require_capacity(asker.pk, Load.REPRODUCTIONS)
    first = model.job
    require_kernel(model)
    quote = quote_reproduction(model=model)
    job = place_job(
        owner=model.owner,
        payer=asker,
        dataset=first.dataset,
        quote=quote,
        seed=first.seed,
        name=f"{model.name}, again"[: Job._meta.get_field("name").max_length],
        steps=quote.steps,
        repeats=first,
        start=beginning_like(first),
    )
    job.kernel_hash = model.kernel_hash
    job.save(update_fields=["kernel_hash"])
    reproduction = Reproduction.objects.create(
        model=model,
        owner=asker,
        job=job,
        request_id=governance.request_id(),
    )
    governance.record(
        actor=asker,
        verb="reproduce_model",
        subject=reproduction,
        details={"model": str(model.pk), "quote": quote.microcredits},
    )
    hint("training.tasks.run_job", job_id=str(job.pk))
    return reproduction


def require_kernel(model: Model) -> None:
    try:
        build.module_of(model.kernel_hash)
    except build.ModuleUnknown as error:
        raise NotReproducible(
            f"“{model.name}” was trained on a kernel that is gone: {error}. Train it again from "
            "its job; the new model can be reproduced."
        ) from error
