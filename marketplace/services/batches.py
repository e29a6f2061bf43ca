"""Batches: a file of rows, its price, the file of answers, and who may have it.

A batch is asked of a deployment, by all that holds for its calls: price, included rows, spend cap.
Who names a template asks their deployment of it, or has it deployed as one click does.
"""

import datetime
from dataclasses import dataclass
from typing import IO, Any

from django.core import signing
from django.core.files.base import File
from django.db import transaction
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone

from billing import services as billing
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from marketplace.models import Batch, Deployment, Route, Template
from marketplace.runner.asked import chosen, included_left, routes_asked
from marketplace.runner.batchfiles import forget
from marketplace.runner.metering import cap_of
from marketplace.runner.routing import routes_of
from marketplace.services.deployments import deploy_template
from marketplace.services.downloads import LINK_SECONDS, LinkExpired, UnknownLink
from training import services as training
from training.models import Work

OPEN_MAX = 5  # of a person, those that wait for the person, too
PURPOSE = "marketplace.batch"
UNASKED = (training.AnswerKind.SAMPLE, training.AnswerKind.TEXT)
State = Batch.State


class NotForBatches(Refusal):
    """A model that makes examples, or writes on, takes no rows; ask it call by call."""

    status = 422


class TooManyBatches(Refusal):
    """A person has so many batches at once; end or delete one."""


class NotQuoted(Refusal):
    """Only a batch whose price is known, and that waits for its owner, can be accepted."""


class BatchIsOver(Refusal):
    """It ended meanwhile; there is nothing to cancel."""


class BatchIsRunning(Refusal):
    """What is read or answered at present is cancelled first."""


class NoResult(Refusal):
    """There is no file of answers: none was made yet, or it was deleted."""


@transaction.atomic
def start_batch(
    *,
    owner: User,
    deployment: Deployment | Template,
    file: IO[bytes],
    file_name: str,
    result_format: Batch.Format = Batch.Format.CSV,
    accept_up_to_microcredits: int | None = None,
) -> Batch:
    """Keep a file of rows and have a worker read it; then it has a price, which its owner accepts,
    or has accepted up to so much.
    """
    if isinstance(deployment, Template):
        deployment = deploy_template(owner=owner, template=deployment)
    governance.take_turn(f"batches/{owner.pk}")
    if Batch.objects.of(owner).open().count() >= OPEN_MAX:
        raise TooManyBatches(
            f"You have {OPEN_MAX} batches that are not over, and may have no more at once; accept, "
            "cancel or delete one, or wait for one to end."
        )
    routes = routes_for(deployment)
    stored = training.store_asked(owner=owner, file=file, file_name=file_name)
    batch = Batch.objects.create(
        owner=owner,
        deployment=deployment,
        route_set=routes[0].route_set,
        aggregation=deployment.aggregation if len(routes) > 1 else "",
        upload_name=file_name,
        upload_sha256=stored.sha256,
        upload_bytes=stored.size_bytes,
        upload_format=stored.format,
        result_format=result_format,
        price_microcredits=sum(route.price_microcredits for route in routes),
        accept_up_to_microcredits=accept_up_to_microcredits,
        request_id=governance.request_id(),
    )
    details = {"bytes": stored.size_bytes, "sha256": stored.sha256}
    governance.record(actor=owner, verb="start_batch", subject=batch, details=details)
    training.hint("marketplace.tasks.read_batch", batch_id=str(batch.pk))
    return batch


def routes_for(deployment: Deployment) -> tuple[Route, ...]:
    """What answers every row."""
    if not deployment.is_active:
        raise Refusal(f"“{deployment.name}” is {deployment.status.label.lower()}; start it first.")
    routes = chosen(routes_of(deployment.answering.route_set_id), deployment.aggregation)
    if training.prediction_kind(model=routes[0].model) in UNASKED:
        raise NotForBatches(
            f"“{deployment.name}” takes no rows, but questions; ask it by its page or the API."
        )
    return routes


@transaction.atomic
def accept_batch(*, actor: User, batch: Batch) -> Batch:
    """Agree to the price. Credits are taken chunk by chunk, as rows are answered."""
    free, cost = billing.available_microcredits(actor), cost_now(batch)
    if batch.is_quoted and free < cost:
        raise billing.InsufficientCredits(available_microcredits=free, needed_microcredits=cost)
    quoted = Batch.objects.of(actor).filter(pk=batch.pk, status=State.QUOTED)
    if not quoted.update(status=State.QUEUED, accepted_at=Now(), hinted_at=None):
        batch.refresh_from_db()
        raise NotQuoted(f"“{batch}” has no price to accept: it is {state_of(batch)}.")
    batch.refresh_from_db()
    details = {"rows": batch.rows, "microcredits": batch.quote_microcredits}
    governance.record(actor=actor, verb="accept_batch", subject=batch, details=details)
    training.hint("marketplace.tasks.answer_batch", batch_id=str(batch.pk))
    return batch


def state_of(batch: Batch) -> str:
    return "waiting for you" if batch.is_quoted else batch.get_status_display().lower()


@transaction.atomic
def cancel_batch(*, actor: User, batch: Batch) -> Batch:
    """No further row is answered or charged; those that are stay, and their file is made."""
    own = Batch.objects.of(actor).filter(pk=batch.pk)
    unbegun = (
        own.open().filter(rows_done=0).exclude(status=State.RUNNING, accepted_at__isnull=False)
    )
    if unbegun.update(status=State.CANCELLED, lease_until=None, finished_at=Now()):
        batch.refresh_from_db()
        forget(batch)
    elif own.to_answer().filter(ending="").update(ending=Batch.Ending.CANCELLED, hinted_at=None):
        training.hint("marketplace.tasks.answer_batch", batch_id=str(batch.pk))
    else:
        raise BatchIsOver(f"“{batch}” is over, or about to be; there is nothing to cancel.")
    governance.record(actor=actor, verb="cancel_batch", subject=batch)
    batch.refresh_from_db()
    return batch


@transaction.atomic
def delete_batch(*, actor: User, batch: Batch) -> Batch:
    """Delete its files now; what it was and cost stays written down."""
    found = Batch.objects.of(actor).select_for_update().get(pk=batch.pk)
    if found.status in Work.OPEN:
        raise BatchIsRunning(f"“{found}” is {state_of(found)}; cancel it first.")
    if found.is_quoted:
        return cancel_batch(actor=actor, batch=found)
    if found.forgotten_at is None:
        forget(found)
        governance.record(actor=actor, verb="delete_batch", subject=found)
    found.refresh_from_db()
    return found


# What it costs and came to


@dataclass(frozen=True, kw_only=True)
class Price:
    """What the rows of a file cost, and what stands in their way; all in micro-credits."""

    rows: int
    row: int
    most: int
    included_rows: int  # that the month has left for them
    now: int  # what it costs if no others use these meanwhile
    free: int  # in the wallet
    cap_room: int | None  # that the deployment's cap leaves; None without one

    @property
    def rows_within_cap(self) -> int | None:
        """Where it stops, if the cap is reached."""
        if self.cap_room is None or self.cap_room >= self.now:
            return None
        return self.included_rows + self.cap_room // self.row

    @property
    def is_payable(self) -> bool:
        return self.free >= self.now


def price_of(*, batch: Batch) -> Price:
    cap = cap_of(batch.deployment)
    room = None
    if cap is not None:
        room = billing.room_of_cap(user=batch.owner, source=batch.deployment.source, cap=cap)
    included = included_now(batch)
    return Price(
        rows=batch.rows,
        row=batch.price_microcredits,
        most=batch.quote_microcredits,
        included_rows=included,
        now=(batch.rows - included) * batch.price_microcredits,
        free=billing.available_microcredits(batch.owner),
        cap_room=room,
    )


def cost_now(batch: Batch) -> int:
    return (batch.rows - included_now(batch)) * batch.price_microcredits


def included_now(batch: Batch) -> int:
    return min(batch.rows, included_left(batch, routes_asked(batch)))


def receipt_of(*, batch: Batch) -> dict[str, Any]:
    """What was answered by which weights for how much: enough to ask the same rows again, and to
    see that the bits are the same.
    """
    models = [
        {
            "version": route.version.number,
            "model_id": str(route.model_id),
            "weights_sha256": route.model.weights_sha256,
            "model_sha256": route.model.sha256,
            "kernel_hash": route.model.kernel_hash,
        }
        for route in routes_asked(batch)
    ]
    return {
        "rows": batch.rows_done,
        "included_rows": batch.rows_included,
        "row_credits": billing.credits(batch.price_microcredits),
        "credits": billing.credits(batch.cost_microcredits),
        "models": models,
        "aggregation": batch.aggregation,
        "upload_sha256": batch.upload_sha256,
        "result_sha256": batch.result_sha256,
        "result_bytes": batch.result_bytes,
    }


def batch_version(*, batch: Batch) -> str:
    """Changes whenever its page would."""
    gone = "gone" if batch.forgotten_at else ""
    return f"{batch.status}-{batch.attempt}-{batch.rows}-{batch.rows_done}-{batch.ending}{gone}"


# The file of answers


@dataclass(frozen=True, kw_only=True)
class ResultLink:
    """Where the answers are to be had, and until when."""

    address: str
    expires_at: datetime.datetime


@transaction.atomic
def link_batch_result(*, actor: User, batch: Batch) -> ResultLink:
    """An address that needs no session and is for its owner alone, for some minutes."""
    require_result(batch)
    token = signing.dumps({"batch": str(batch.pk), "user": str(actor.pk)}, salt=PURPOSE)
    governance.record(
        actor=actor,
        verb="link_batch_result",
        subject=batch,
        details={"sha256": batch.result_sha256},
    )
    return ResultLink(
        address=reverse("marketplace:batch_result", args=[token]),
        expires_at=timezone.now() + datetime.timedelta(seconds=LINK_SECONDS),
    )


def require_result(batch: Batch) -> None:
    if batch.forgotten_at is not None:
        raise NoResult(f"The files of “{batch}” were deleted; bring it again.")
    if not batch.has_result:
        raise NoResult(f"“{batch}” is {state_of(batch)}; there is no file of answers.")


def open_batch_result(*, token: str, visitor: User | None) -> tuple[Batch, File[bytes]]:
    """What a link leads to, for who it was made."""
    try:
        told = signing.loads(token, salt=PURPOSE, max_age=LINK_SECONDS)
    except signing.SignatureExpired as error:
        raise LinkExpired(
            "This link has expired: it worked for ten minutes. Ask for a new one on the batch's "
            "page."
        ) from error
    except signing.BadSignature as error:
        raise UnknownLink("This link leads to nothing.") from error
    batch = Batch.objects.filter(pk=told["batch"], owner=told["user"], owner__is_active=True)
    found = batch.first()
    if found is None or (visitor is not None and visitor.pk != found.owner_id):
        raise LinkExpired("This link was made for somebody else; ask for one of your own.")
    require_result(found)
    return found, training.open_file(sha256=found.result_sha256)
