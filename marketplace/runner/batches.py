"""What a worker does with a batch: reads its file, answers it chunk by chunk, makes the result.

A worker asks for some seconds and then leaves the batch to whoever comes next, so that a long one
holds up nobody. Between two chunks everything is in the database and the storage; killed anywhere,
the next attempt goes on after the last chunk, and an answer has the same bits.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from numpy.typing import NDArray

from billing import services as billing
from governance import services as governance
from governance.models import NoticeType
from governance.services import Refusal
from marketplace.models import Batch, BatchChunk, Deployment, Route
from marketplace.runner import results
from marketplace.runner.asked import allowance_of, included_left, included_rows, routes_asked
from marketplace.runner.batchfiles import forget_chunks, forget_inputs
from marketplace.runner.merging import merge
from marketplace.runner.metering import cap_of, charge, charge_together
from training import services as training

CHUNK_ROWS = 500  # charged together
ASKED_ROWS = 100  # of the network at once: a lease is renewed in between
PIECE_BYTES = 2**20
COMES_AGAIN = (429, 503)  # refusals of a moment: the next attempt may succeed
CAME_TO_NO_END = "Attempts to answer its next rows came to no end; it was taken out of the queue."
Ending = Batch.Ending
State = Batch.State


class Ended(Exception):
    """The batch is to end before its last row; the row says why."""


# Reading


def read_batch(batch_id: str) -> None:
    if Batch.objects.to_read().filter(pk=batch_id).exists():
        training.do_work(Batch, batch_id, read, on_poison=bury)


def read(batch: Batch) -> None:
    """Find out what the file costs, or which row is none."""
    training.renew(batch)
    try:
        found = training.read_asked(
            batch,
            upload_sha256=batch.upload_sha256,
            file_name=batch.upload_name,
            format=batch.upload_format,
            owner_id=batch.owner_id,
            models=[route.model for route in routes_asked(batch)],
        )
    except training.WorkFault as fault:
        refuse(batch, fault)
    else:
        quote(batch, found)


def quote(batch: Batch, found: training.AskedRows) -> None:
    """Write down what the rows cost at most. Who agreed to so much before is not asked again."""
    most = found.rows * batch.price_microcredits
    is_agreed = most <= (batch.accept_up_to_microcredits or 0)
    with transaction.atomic():
        training.keep_blob(found.sha256, found.content)
        training.write(
            batch,
            status=State.QUEUED if is_agreed else State.QUOTED,
            lease_until=None,
            lost_leases=0,
            hinted_at=None,
            accepted_at=Now() if is_agreed else None,
            rows=found.rows,
            sheet_sha256=found.sha256,
            unused=[name[:80] for name in found.unused],
        )
        if is_agreed:
            training.hint("marketplace.tasks.answer_batch", batch_id=str(batch.pk))
    forget_inputs(batch, upload_only=True)


def refuse(batch: Batch, fault: training.WorkFault) -> None:
    problems = fault.problems if isinstance(fault, training.RowsFault) else []
    with transaction.atomic():
        training.write(
            batch,
            status=State.FAILED,
            lease_until=None,
            finished_at=Now(),
            error_code=fault.code,
            error_message=str(fault),
            problems=problems,
        )
        batch.refresh_from_db()
        tell_over(batch)
    forget_inputs(batch)


# Answering


def answer_batch(batch_id: str) -> None:
    if Batch.objects.to_answer().filter(pk=batch_id).exists():
        training.do_work(Batch, batch_id, answer, on_poison=bury)


def answer(batch: Batch) -> None:
    """Chunks for some seconds, then leave it to the next; at the end the file."""
    training.renew(batch)
    ends_at = time.monotonic() + settings.TRAINING_CHUNK_SECONDS
    try:
        require_active(batch)
        routes = routes_asked(batch)
        rows = training.rows_by_model(batch.sheet_sha256, [route.model for route in routes])
        beat = training.heartbeat(batch)
        while batch.rows_done < batch.rows:
            add_chunk(batch, routes, rows, beat)
            if batch.rows_done < batch.rows and time.monotonic() > ends_at:
                leave(batch)
                return
    except Ended:
        batch.refresh_from_db()
    except Refusal as refusal:
        if refusal.status in COMES_AGAIN:
            raise
        end(batch, refusal.code, str(refusal))
    finish(batch)


def require_active(batch: Batch) -> None:
    if batch.ending:
        raise Ended
    deployment = Deployment.objects.get(pk=batch.deployment_id)
    if not deployment.is_active:
        why = deployment.stopped_reason or "start it and bring the file again."
        raise NotActive(f"“{deployment.name}” was stopped: {why}")


class NotActive(Refusal):
    """A deployment that was stopped answers no rows of a file, either."""


def leave(batch: Batch) -> None:
    with transaction.atomic():
        training.write(batch, lease_until=None)
        training.hint("marketplace.tasks.answer_batch", batch_id=str(batch.pk))


def add_chunk(
    batch: Batch,
    routes: Sequence[Route],
    rows: Sequence[NDArray[Any]],
    beat: Callable[[int], object],
) -> None:
    """Answer the next rows and charge them. Where not all can be paid, those that can."""
    first, count = batch.rows_done, next_rows(batch, routes)
    predictions = answers(batch, routes, [each[first : first + count] for each in rows], beat)
    try:
        record(batch, routes, predictions)
    except (billing.SpendCapReached, billing.InsufficientCredits):
        payable = payable_rows(batch)
        if 0 < payable < count:
            record(batch, routes, predictions[:payable])
        raise


def next_rows(batch: Batch, routes: Sequence[Route]) -> int:
    """As many as a chunk has, or as the month still includes."""
    left = included_left(batch, routes)
    return min(batch.rows - batch.rows_done, CHUNK_ROWS, left or CHUNK_ROWS)


def answers(
    batch: Batch,
    routes: Sequence[Route],
    rows: Sequence[NDArray[Any]],
    beat: Callable[[int], object],
) -> list[training.Prediction]:
    """One for each row, computed as a call's, some at a time."""
    found: list[training.Prediction] = []
    for begin in range(0, len(rows[0]), ASKED_ROWS):
        said = [
            training.predict_numbers(model=route.model, rows=each[begin : begin + ASKED_ROWS])
            for route, each in zip(routes, rows, strict=True)
        ]
        shares = [route.share for route in routes]
        found += merge(said, shares, batch.aggregation) if len(said) > 1 else said[0]
        beat(batch.rows_done + begin)
    return found


def record(
    batch: Batch, routes: Sequence[Route], predictions: Sequence[training.Prediction]
) -> None:
    """The answers' bytes, and then in the same transaction the fence, the money and the chunk."""
    first, count = batch.rows_done, len(predictions)
    lines = results.lines_of(predictions, first_row=first)
    sha256 = training.store_blob(lines)
    with transaction.atomic():
        training.keep_blob(sha256, lines)
        get_on(batch)
        cost = charge_rows(batch, routes, count)
        BatchChunk.objects.create(
            batch=batch, first_row=first, rows=count, sha256=sha256, cost_microcredits=cost
        )
        training.write(
            batch,
            status=State.RUNNING,
            lost_leases=0,  # it gets on
            rows_done=F("rows_done") + count,
            rows_included=F("rows_included") + (0 if cost else count),
            cost_microcredits=F("cost_microcredits") + cost,
        )
    batch.refresh_from_db()


def charge_rows(batch: Batch, routes: Sequence[Route], count: int) -> int:
    """As a call of so many rows."""
    asked: dict[str, Any] = {
        "user": batch.owner,
        "source": batch.deployment.source,
        "rows": count,
        "event_id": batch.event_id(batch.rows_done),
        "cap": cap_of(batch.deployment),
    }
    if len(routes) > 1:
        return charge_together(**asked, routes=routes)
    route = routes[0]
    return charge(
        **asked,
        author=route.version.template.owner if route.earns else None,
        price=route.price_microcredits,
        allowance=allowance_of(routes),
        included_rows=included_rows(batch, routes),
    )


def get_on(batch: Batch) -> None:
    """Hold the row of this attempt, unless the batch is to end. Raises Ended and LeaseLost."""
    training.renew(batch)
    if Batch.objects.filter(pk=batch.pk).exclude(ending="").exists():
        raise Ended


def payable_rows(batch: Batch) -> int:
    """How many of the next rows the wallet and the deployment's cap have room for."""
    room = billing.available_microcredits(batch.owner)
    cap = cap_of(batch.deployment)
    if cap is not None:
        source = batch.deployment.source
        room = min(room, billing.room_of_cap(user=batch.owner, source=source, cap=cap))
    return room // batch.price_microcredits


# The end


def end(batch: Batch, code: str, message: str) -> None:
    """Answer no further row; who has cancelled it meanwhile is who ended it."""
    training.renew(batch)
    rows = Batch.objects.filter(pk=batch.pk, attempt=batch.attempt, ending="")
    rows.update(ending=Ending.REFUSED, error_code=code[:40], error_message=message)
    batch.refresh_from_db()


def finish(batch: Batch) -> None:
    """Make the file of what was answered, and say that it is over."""
    status, made = State.DONE, dict[str, Any]()
    if batch.ending == Ending.CANCELLED:
        status = State.CANCELLED
    elif batch.ending:
        status, made = State.FAILED, {"error_message": batch.error_message or why_unsaid(batch)}
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "result"
        if batch.rows_done:
            beat = training.heartbeat(batch)
            results.write(batch.result_format, stored_answers(batch), path, beat=beat)
        with transaction.atomic():
            if batch.rows_done:
                sha256, size = training.store_stream(pieces(path), bytes_max=path.stat().st_size)
                made |= {"result_sha256": sha256, "result_bytes": size}
            training.write(batch, status=status, lease_until=None, finished_at=Now(), **made)
            batch.refresh_from_db()
            governance.record(
                actor=None,
                verb="finish_batch",
                subject=batch,
                details={
                    "status": status.value,
                    "rows": batch.rows_done,
                    "sha256": batch.result_sha256,
                },
            )
            tell_over(batch)
    forget_inputs(batch)
    forget_chunks(batch)


def why_unsaid(batch: Batch) -> str:
    """A claim forgets the words of the attempt before it; the code stays."""
    if batch.ending == Ending.LOST:
        return CAME_TO_NO_END
    return f"Its next rows were refused: {batch.error_code.replace('_', ' ')}."


def stored_answers(batch: Batch) -> Iterator[bytes]:
    for sha256 in batch.chunks.values_list("sha256", flat=True):
        yield training.load_blob(sha256)


def pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(partial(file.read, PIECE_BYTES), b"")


def bury(batch: Batch) -> None:
    """What kills its workers is answered no further; a last attempt makes the file of what is
    there.
    """
    batch.refresh_from_db()
    if batch.rows_done and not batch.ending:
        Batch.objects.filter(pk=batch.pk).update(
            status=State.QUEUED,
            ending=Ending.LOST,
            lost_leases=0,
            finished_at=None,
            error_code="poison",
        )
        training.hint("marketplace.tasks.answer_batch", batch_id=str(batch.pk))
        return
    governance.record(actor=None, verb="quarantine_batch", subject=batch)
    tell_over(batch)


def tell_over(batch: Batch) -> None:
    """Who cancelled it knows."""
    if batch.status == State.CANCELLED:
        return
    is_done = batch.status == State.DONE
    kept = f" {batch.rows_done:,} of {batch.rows:,} rows were answered." if batch.rows_done else ""
    text = f"“{batch.upload_name}”: all {batch.rows:,} rows are answered."
    if not is_done:
        text = f"“{batch.upload_name}” was not answered to its end: {batch.error_message}{kept}"
    governance.tell(
        user=batch.owner,
        type=NoticeType.BATCH_DONE if is_done else NoticeType.BATCH_FAILED,
        text=text,
        url=batch.get_absolute_url(),
        data={"batch_id": str(batch.pk), "rows": batch.rows_done, "status": batch.status},
    )
