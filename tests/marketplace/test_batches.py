"""bob has files of rows answered, and pays for each row once, whatever happens."""

import csv
import io
import json
import os
import subprocess
import sys
import time
import uuid

import numpy as np
import polars as pl
import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse

from billing import services as billing
from billing.models import UsageEvent
from governance import services as governance
from governance.models import Notice, Scope
from governance.services import Refusal
from marketplace import services as marketplace
from marketplace.models import Batch, BatchChunk, Deployment
from marketplace.runner import batches, batchfiles
from tests import migrated
from tests.marketplace.versions import another_version
from tests.training.test_workers import wait_for
from training import services as training
from training.models import Work
from training.runner import reading
from training.runner.asking import recipe_of

PRICE = 1_000


def numbers(rows: int) -> np.ndarray:
    """Rows that differ, as an array of the digits' pixels."""
    return np.random.default_rng(1).integers(0, 17, (rows, 64)).astype(np.uint8)


def saved(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def bring(owner, answerer, array, **more) -> Batch:
    return marketplace.start_batch(
        owner=owner,
        deployment=answerer,
        file=io.BytesIO(saved(array)),
        file_name="digits.npy",
        **more,
    )


@pytest.fixture
def quote(tmp_path):
    """Reads a batch here, where no process has to start for it."""

    def quote(batch: Batch) -> Batch:
        path = tmp_path / "upload"
        path.write_bytes(training.load_blob(batch.upload_sha256))
        models = [route.model for route in batches.routes_asked(batch)]
        ask = {"recipes": [recipe_of(models[0])], "format": batch.upload_format, "bounds": {}}
        found, content = reading.answer_sheet(path, ask)
        sha256 = training.store_blob(content)
        claimed = training.claim(Batch, str(batch.pk))
        batches.quote(
            claimed, training.AskedRows(sha256=sha256, content=content, **found["fields"])
        )
        batch.refresh_from_db()
        return batch

    return quote


@pytest.fixture
def quoted(bob, deployment, quote):
    def quoted(rows: int = 7, answerer=None, **more) -> Batch:
        return quote(bring(bob, answerer or deployment, numbers(rows), **more))

    return quoted


def answered(batch: Batch) -> Batch:
    """Accepted, and worked on until it is over."""
    batch.refresh_from_db()
    if batch.is_quoted:
        marketplace.accept_batch(actor=batch.owner, batch=batch)
    while not batch.is_over:
        batches.answer_batch(str(batch.pk))
        batch.refresh_from_db()
    return batch


def result_of(batch: Batch) -> bytes:
    link = marketplace.link_batch_result(actor=batch.owner, batch=batch)
    token = link.address.rstrip("/").rpartition("/")[2]
    _, file = marketplace.open_batch_result(token=token, visitor=None)
    with file:
        return file.read()


def charged(batch: Batch) -> int:
    events = UsageEvent.objects.filter(source=batch.deployment.source)
    return sum(event.units * event.price_microcredits for event in events)


# The whole way


def test_each_row_is_answered_as_a_call_is_and_charged_once(bob, deployment, quoted):
    batch = quoted(7)
    assert (batch.status, batch.rows, batch.quote_microcredits) == ("quoted", 7, 7 * PRICE)
    assert charged(batch) == 0
    answered(batch)
    assert (batch.status, batch.rows_done, batch.cost_microcredits) == ("done", 7, 7 * PRICE)
    assert charged(batch) == 7 * PRICE
    told = list(csv.DictReader(io.StringIO(result_of(batch).decode())))
    assert [row["row"] for row in told] == list("1234567")
    call = marketplace.predict(
        user=bob, deployment=deployment, rows=numbers(7).tolist(), event_id=uuid.uuid4()
    )
    for row, prediction in zip(told, call.predictions, strict=True):
        assert row["prediction"] == prediction.label
        said = {name: float(row[f"probability {name}"]) for name in prediction.probabilities}
        assert said == prediction.probabilities
    receipt = marketplace.receipt_of(batch=batch)
    assert receipt["models"][0]["weights_sha256"] == deployment.model.weights_sha256
    assert receipt["credits"] == "0.007"
    notice = Notice.objects.get(user=bob, type="batch.done")
    assert "all 7 rows" in notice.text
    assert not BatchChunk.objects.exists()
    assert billing.ledger_faults() == []


def test_answers_come_as_lines_of_json_or_as_parquet_too(quoted):
    lines = answered(quoted(3, result_format=Batch.Format.JSONL))
    told = [json.loads(line) for line in result_of(lines).splitlines()]
    assert [row["row"] for row in told] == [1, 2, 3]
    frame = pl.read_parquet(
        io.BytesIO(result_of(answered(quoted(3, result_format=Batch.Format.PARQUET))))
    )
    assert frame["prediction"].to_list() == [row["prediction"] for row in told]
    assert frame["probability 3"].to_list() == [row["probabilities"]["3"] for row in told]


def test_a_row_that_is_none_is_named_before_anything_is_charged(bob, deployment):
    """By a real reader, in a process of its own, which takes a second or two."""
    names = [f"pixel_{row}_{column}" for row in range(8) for column in range(8)]
    text = ",".join(names) + "\n" + ",".join(["3"] * 63 + ["three"]) + "\n"
    batch = marketplace.start_batch(
        owner=bob, deployment=deployment, file=io.BytesIO(text.encode()), file_name="bad.csv"
    )
    batches.read_batch(str(batch.pk))
    batch.refresh_from_db()
    assert (batch.status, batch.error_code) == ("failed", "file_refused")
    said = "“bad.csv” row 1, column 'pixel_7_7': must be a number, not 'three'."
    assert batch.error_message == said
    assert batch.problems[0]["column"] == "pixel_7_7"
    assert charged(batch) == 0
    assert Notice.objects.get(user=bob, type="batch.failed").url == batch.get_absolute_url()


def test_who_names_the_highest_price_is_not_asked_again(quoted):
    assert quoted(4, accept_up_to_microcredits=3 * PRICE).is_quoted
    agreed = quoted(4, accept_up_to_microcredits=4 * PRICE)
    assert agreed.status == "queued"
    assert answered(agreed).status == "done"


def test_who_names_a_template_asks_the_deployment_of_it(bob, bought, deployment, quoted):
    assert bring(bob, bought, numbers(1)).deployment == deployment


def test_several_versions_answer_together_as_they_do_a_call(bob, bought, second, quote):
    merged = marketplace.deploy_template(
        owner=bob,
        template=bought,
        custom_config={
            "routes": [{"version": 1, "share": 50}, {"version": 2, "share": 50}],
            "aggregation": "mean",
        },
    )
    batch = answered(quote(bring(bob, merged, numbers(2))))
    assert batch.cost_microcredits == 2 * 2 * PRICE
    assert [each["version"] for each in marketplace.receipt_of(batch=batch)["models"]] == [1, 2]


# What stands in its way


def test_it_stops_at_the_cap_to_the_row(bob, deployment, quoted):
    marketplace.configure_deployment(actor=bob, deployment=deployment, changes={"spend_cap": 0.005})
    batch = quoted(7)
    assert marketplace.price_of(batch=batch).rows_within_cap == 5
    answered(batch)
    assert (batch.status, batch.error_code) == ("failed", "spend_cap_reached")
    assert (batch.rows_done, charged(batch)) == (5, 5 * PRICE)
    assert result_of(batch).count(b"\n") == 6
    assert "5 of 7 rows" in Notice.objects.get(user=bob, type="batch.failed").text


def test_what_the_month_includes_comes_first(bob, bought, quoted):
    another_version(bought, monthly_calls=3)
    fresh = marketplace.deploy_template(owner=bob, template=bought, custom_config={"name": "Fresh"})
    batch = quoted(5, fresh)
    price = marketplace.price_of(batch=batch)
    assert (price.most, price.included_rows, price.now) == (5 * PRICE, 3, 2 * PRICE)
    answered(batch)
    assert (batch.rows_included, batch.cost_microcredits) == (3, 2 * PRICE)


def test_nobody_accepts_what_they_cannot_pay(bob, deployment, quoted):
    batch = quoted(2)
    free = billing.available_microcredits(bob)
    billing.hold(owner=bob, amount_microcredits=free - PRICE, key="else", reason="Else")
    with pytest.raises(billing.InsufficientCredits, match=r"needs 0\.002 credits and 0\.001 are"):
        marketplace.accept_batch(actor=bob, batch=batch)
    batch.refresh_from_db()
    assert batch.is_quoted


def test_a_deployment_that_was_stopped_answers_no_file(bob, deployment, quoted):
    batch = quoted(2)
    marketplace.stop_deployment(actor=bob, deployment=deployment)
    answered(batch)
    assert (batch.status, batch.error_code, batch.result_sha256) == ("failed", "not_active", "")
    with pytest.raises(Refusal, match="start it first"):
        bring(bob, Deployment.objects.with_stable().get(), numbers(1))


def test_so_many_wait_at_once_and_no_more(bob, deployment):
    for _ in range(5):
        bring(bob, deployment, numbers(1))
    with pytest.raises(Refusal, match="may have no more at once"):
        bring(bob, deployment, numbers(1))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.zip", b"PK\x03\x04" + bytes(40), "is Zip of pictures; bring rows as CSV"),
        ("x.txt", b"words", "is Plain text; bring rows as"),
        ("x.csv", b"", "is empty"),
        ("x.gz", b"\x1f\x8b", "unpack it"),
    ],
)
def test_what_is_no_file_of_rows_is_refused_at_once(bob, deployment, name, content, said):
    with pytest.raises(training.InvalidUpload, match=said):
        marketplace.start_batch(
            owner=bob, deployment=deployment, file=io.BytesIO(content), file_name=name
        )


# Cancelling, dying, forgetting


def test_what_is_done_when_bob_cancels_is_paid_and_kept(bob, quoted, settings):
    settings.TRAINING_CHUNK_SECONDS = 0  # a turn is one chunk
    batch = quoted(1_200)
    marketplace.accept_batch(actor=bob, batch=batch)
    batches.answer_batch(str(batch.pk))
    batch.refresh_from_db()
    assert batch.rows_done == batches.CHUNK_ROWS
    marketplace.cancel_batch(actor=bob, batch=batch)
    with pytest.raises(Refusal, match="nothing to cancel"):
        marketplace.cancel_batch(actor=bob, batch=batch)
    batches.answer_batch(str(batch.pk))
    batch.refresh_from_db()
    assert (batch.status, batch.rows_done) == ("cancelled", 500)
    assert charged(batch) == 500 * PRICE
    assert result_of(batch).count(b"\n") == 501


def test_bob_turns_a_quote_down_and_pays_nothing(bob, quoted):
    batch = marketplace.cancel_batch(actor=bob, batch=quoted(2))
    assert (batch.status, charged(batch)) == ("cancelled", 0)
    with pytest.raises(Refusal, match="no price to accept: it is cancelled"):
        marketplace.accept_batch(actor=bob, batch=batch)


def test_a_worker_that_lost_its_lease_charges_nothing(bob, quoted):
    batch = quoted(3)
    marketplace.accept_batch(actor=bob, batch=batch)
    claimed = training.claim(Batch, str(batch.pk))
    Batch.objects.filter(pk=batch.pk).update(attempt=99)
    with pytest.raises(training.LeaseLost):
        batches.answer(claimed)
    assert charged(batch) == 0
    assert not BatchChunk.objects.exists()


def test_what_kills_its_workers_keeps_what_was_answered(bob, quoted, settings):
    batch = quoted(600)
    marketplace.accept_batch(actor=bob, batch=batch)
    settings.TRAINING_CHUNK_SECONDS = 0
    batches.answer_batch(str(batch.pk))
    Batch.objects.filter(pk=batch.pk).update(
        lost_leases=4, lease_until="2020-01-01T00:00Z", status="running"
    )
    batches.answer_batch(str(batch.pk))
    batches.answer_batch(str(batch.pk))
    batch.refresh_from_db()
    assert (batch.status, batch.error_code, batch.rows_done) == ("failed", "poison", 500)
    assert result_of(batch).count(b"\n") == 501


def test_a_refusal_outlives_the_worker_that_met_it(bob, quoted):
    batch = quoted(2)
    marketplace.accept_batch(actor=bob, batch=batch)
    held = training.claim(Batch, str(batch.pk))
    batches.end(held, "spend_cap_reached", "The cap is reached.")
    Batch.objects.filter(pk=batch.pk).update(lease_until="2020-01-01T00:00Z")
    for _ in range(2):  # frees it of the dead worker, and makes an end
        batches.answer_batch(str(batch.pk))
    batch.refresh_from_db()
    said = (batch.status, batch.error_code, batch.error_message)
    assert said == ("failed", "spend_cap_reached", "Its next rows were refused: spend cap reached.")


def test_files_go_after_a_time_and_the_receipt_stays(bob, quoted, settings):
    one, twin = answered(quoted(2)), answered(quoted(2))
    assert one.result_sha256 == twin.result_sha256
    old = "2020-01-01T00:00Z"
    Batch.objects.filter(pk=one.pk).update(finished_at=old)
    stale = quoted(2)
    Batch.objects.filter(pk=stale.pk).update(created_at=old)
    batchfiles.forget_old()
    for batch in (one, stale):
        batch.refresh_from_db()
    assert stale.error_code == "quote_expired"
    with pytest.raises(Refusal, match="were deleted"):
        marketplace.link_batch_result(actor=bob, batch=one)
    assert marketplace.receipt_of(batch=one)["rows"] == 2
    assert result_of(twin)  # the same bytes, which another still has
    marketplace.delete_batch(actor=bob, batch=twin)
    with pytest.raises(training.FileUnreadable):
        training.open_file(sha256=twin.result_sha256)


WORKER = "import sys, django; django.setup(); from marketplace import tasks; tasks.{}(sys.argv[1])"


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_loses_nothing_and_bills_nothing_twice(bob, quoted):
    """A real process and SIGKILL; the file then has the bytes of one that nobody interrupted."""
    batch, twin = quoted(4_000), quoted(4_000)
    marketplace.accept_batch(actor=bob, batch=batch)
    address = migrated.database_url(connection.settings_dict["NAME"])
    more = {"DATABASE_URL": address, "TRAINING_LEASE_SECONDS": "1", "TRAINING_CHUNK_SECONDS": "600"}
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER.format("answer_batch"), str(batch.pk)],
        cwd=settings.BASE_DIR,
        env=os.environ | more | {"DJANGO_SETTINGS_MODULE": "tests.settings"},
    )
    wait_for(batch, lambda row: row.rows_done > 0, "the first chunk")
    worker.kill()
    worker.wait()
    batch.refresh_from_db()
    assert 0 < batch.rows_done < 4_000, "it was over before it was interrupted"
    done = batch.rows_done
    while not batch.is_over:  # as soon as its lease is over
        batches.answer_batch(str(batch.pk))
        time.sleep(0.1)
        batch.refresh_from_db()
    assert (batch.status, batch.rows_done, batch.lost_leases) == (Work.Status.DONE, 4_000, 0)
    assert done < 4_000
    assert charged(batch) == batch.cost_microcredits == 4_000 * PRICE
    assert answered(twin).result_sha256 == batch.result_sha256
    billing.settle_usage()
    assert billing.ledger_faults() == []


# Doors


@pytest.fixture
def key(bob) -> dict[str, str]:
    _, secret = governance.create_api_key(owner=bob, name="key", scopes=list(Scope))
    return {"Authorization": f"Bearer {secret}"}


def test_a_program_brings_a_file_once_accepts_and_takes_the_answers(
    client,
    bob,
    deployment,
    key,
    quote,
):
    def post(path: str, sent=None, **more):
        return client.post(f"/api/v1/batches{path}", sent or {}, headers=key | more)

    def sent():
        file = SimpleUploadedFile("digits.npy", saved(numbers(2)))
        return {"file": file, "deployment_id": str(deployment.pk), "result_format": "jsonl"}

    made = post("", sent(), **{"Idempotency-Key": "one"})
    assert (made.status_code, made.json()["status"]) == (202, "queued")
    again = post("", sent(), **{"Idempotency-Key": "one"})
    assert again["Idempotency-Replayed"] == "true"
    batch = quote(Batch.objects.get())
    told = client.get(made["Location"], headers=key).json()
    assert (told["status"], told["quote_credits"]) == ("quoted", "0.002")
    assert post(f"/{batch.pk}/accept").json()["status"] == "queued"
    answered(batch)
    assert client.get("/api/v1/batches", headers=key).json()["batches"][0]["rows_done"] == 2
    link = post(f"/{batch.pk}/link").json()
    anonymous = Client().get(link["url"])
    assert b"".join(anonymous.streaming_content).count(b"\n") == 2
    assert client.delete(f"/api/v1/batches/{batch.pk}", headers=key).status_code == 204
    assert Client().get(link["url"]).status_code == 409
    lacking = post("", {"file": SimpleUploadedFile("x.csv", b"a\n1\n")})
    assert (lacking.status_code, lacking.json()["code"]) == (400, "invalid_parameters")


def test_a_key_that_may_only_predict_has_nothing_deployed_by_a_file(client, bob, bought):
    _, secret = governance.create_api_key(owner=bob, name="predicts", scopes=[Scope.PREDICT])
    sent = {"file": SimpleUploadedFile("x.csv", b"a\n1\n"), "template_id": str(bought.pk)}
    answer = client.post("/api/v1/batches", sent, headers={"Authorization": f"Bearer {secret}"})
    assert (answer.status_code, "'market:buy'" in answer.json()["detail"]) == (403, True)
    assert not Deployment.objects.exists()


def test_bob_does_the_same_on_pages_without_a_script(client, bob, deployment, quote):
    client.force_login(bob)
    new = reverse("marketplace:new_batch")
    assert "Digit reader, version 1" in client.get(f"{new}?deployment={deployment.pk}").text
    wrong = client.post(
        new,
        {
            "deployment": str(deployment.pk),
            "result_format": "csv",
            "file": SimpleUploadedFile("x.zip", b"PK\x03\x04" + bytes(40)),
        },
    )
    assert "bring rows as CSV" in wrong.text
    page = client.post(
        new,
        {
            "deployment": str(deployment.pk),
            "result_format": "csv",
            "file": SimpleUploadedFile("digits.npy", saved(numbers(2))),
        },
        follow=True,
    )
    assert "A worker reads the file" in page.text
    batch = quote(Batch.objects.get())
    where = batch.get_absolute_url()
    assert "2 rows × 0.001 credits = 0.002 credits" in client.get(where).text
    client.post(f"{where}accept/")
    answered(batch)
    over = client.get(where).text
    assert deployment.model.weights_sha256 in over
    taken = client.post(f"{where}take/", follow=True)
    assert taken["Content-Disposition"] == 'attachment; filename="digits-answers.csv"'
    assert b"".join(taken.streaming_content).startswith(b"row,prediction,confidence")
    client.post(f"{where}delete/")
    assert "The files were deleted" in client.get(where).text


def test_a_list_of_many_asks_no_more_than_one_of_few(
    client,
    bob,
    deployment,
    django_assert_max_num_queries,
):
    client.force_login(bob)
    for _ in range(4):
        bring(bob, deployment, numbers(1))
    with django_assert_max_num_queries(12):
        client.get(reverse("marketplace:batches"))


def test_a_link_is_for_one_person_and_for_minutes(client, bob, mallory, quoted):
    batch = answered(quoted(1))
    link = marketplace.link_batch_result(actor=bob, batch=batch)
    client.force_login(mallory)
    assert client.get(link.address).status_code == 403
    assert client.get(reverse("marketplace:batch_result", args=["forged"])).status_code == 404


def test_the_fragment_of_a_batch_that_changes_nothing_is_empty(client, bob, quoted):
    client.force_login(bob)
    batch = quoted(1)
    seen = marketplace.batch_version(batch=batch)
    where = f"{batch.get_absolute_url()}?seen={seen}"
    assert client.get(where, headers={"HX-Request": "true"}).status_code == 204
    marketplace.accept_batch(actor=bob, batch=batch)
    fragment = client.get(where, headers={"HX-Request": "true"})
    assert fragment.text.lstrip().startswith('<section id="progress"')
    assert "every 1s" in fragment.text
