"""alice trains on from a checkpoint of a job that she cancelled, or that is over."""

import io
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from billing import services as billing
from kernels import modelfile
from tests.conftest import SMALL
from tests.training.outages import disk_is_slow
from tests.training.test_finetuning import FLOWERS, KIND, log, read, split, trained
from tests.training.test_finetuning import SMALL as FLOWER_NETWORK
from tests.training.test_reproduce import finish
from tests.training.test_studio import Visitor, at
from training import services as training
from training.models import Checkpoint, Job, Model, Tier
from training.runner import beginnings, blobs, chunks, sweeps, validations


@pytest.fixture
def job(alice, digits):
    """Of few steps an epoch, since each ends a chunk of its own below."""
    config = SMALL | {"training": SMALL["training"] | {"batch_size": 256}}
    return training.submit_job(owner=alice, dataset=digits, config=config, tier=Tier.NANO, seed=1)


@pytest.fixture
def cancelled(job, alice, settings):
    """Cancelled after two of its twelve epochs, with the few newest of its checkpoints."""
    settings.TRAINING_CHUNK_SECONDS = 0.0
    while job.points.count() < 2:
        chunks.run_turn()
    settings.TRAINING_CHUNK_SECONDS = 60.0
    return training.cancel_job(actor=alice, job=job)


def further(owner, checkpoint, dataset, *, epochs=2, config=SMALL):
    config = config | {"training": config["training"] | {"epochs": epochs}}
    return training.submit_job(
        owner=owner, dataset=dataset, config=config, tier=Tier.NANO, seed=9, parent=checkpoint
    )


def long_ago(settings):
    return timezone.now() - timedelta(days=settings.RETENTION_DAYS, seconds=1)


def test_alice_trains_on_from_where_she_cancelled(client, alice, cancelled, digits):
    client.force_login(alice)
    page = client.get(cancelled.get_absolute_url()).content.decode()
    newest = cancelled.checkpoints.first()
    assert "They are kept until" in page
    (address,) = re.findall(rf'href="(/jobs/new/[^"]+[.]{newest.step})"', page)
    studio = client.get(address).content.decode()
    assert f'Begins from the weights of <a href="{cancelled.get_absolute_url()}"' in studio
    assert f'name="parent" value="{cancelled.pk}.{newest.step}"' in studio
    job = further(alice, newest, digits, epochs=1)
    assert (job.start_job, job.start_step, job.parent) == (cancelled, newest.step, None)
    assert job.name == f"{cancelled.name}, from step {newest.step}"
    assert f"Begins from “{newest}”: 4 of 4 weights are taken over." in log(job)
    model = trained(job)
    assert job.points.get().train_loss < cancelled.points.last().train_loss
    job.refresh_from_db()
    start = modelfile.load(blobs.get(job.start_sha256))
    assert start.provenance["step"] == newest.step
    made = modelfile.load(blobs.get(model.sha256))
    assert made.provenance["parent_sha256"] == modelfile.weights_sha256(start.weights)
    shown = client.get(model.get_absolute_url()).content.decode()
    assert f"Checkpoint it began from, step {newest.step}" in shown
    receipt = client.get(f"/api/v1/models/{model.pk}").json()["receipt"]
    assert receipt["start_sha256"] == job.start_sha256
    assert receipt["parent_weights_sha256"] is None


def test_what_alice_composed_outlives_the_checkpoint_that_it_was_to_begin_from(
    client, alice, cancelled
):
    client.force_login(alice)
    newest, *others = cancelled.checkpoints.all()
    studio = Visitor(client, parent=f"{cancelled.pk}.{newest.step}")
    chunks.forget(newest)
    studio.press("start", **{at(1, "size"): "40", "name": "Mine"})
    assert not Job.objects.filter(name="Mine").exists()
    ((place, _, said),) = studio.answer.context["summary"]
    steps = ", ".join(str(each.step) for each in others)
    assert said == (
        "What this job was to begin from is not kept: "
        f"the steps of “{cancelled.name}” that are kept are: {steps}."
    )
    assert f'id="{place}"' in studio.page
    assert (studio.form.values[at(1, "size")], studio.form.values["name"]) == ("40", "Mine")
    assert "What this job was to begin from is not kept" in studio.type()
    studio.press("start")  # and nothing else is begun instead, however often she asks
    assert not Job.objects.filter(name="Mine").exists()
    studio.press("anew")
    assert "What this job was to begin from" not in studio.page
    studio.press("start")
    job = Job.objects.get(name="Mine")
    assert (job.start_job, job.config["architecture"]["layers"][1]["params"]["size"]) == (None, 40)
    gone = {"parent": f"{cancelled.pk}.{newest.step}"}
    assert client.get("/jobs/new/", gone).status_code == 404


def test_what_began_from_a_checkpoint_is_made_again_when_that_is_long_gone(
    alice, cancelled, digits, settings
):
    newest = cancelled.checkpoints.first()
    child = trained(further(alice, newest, digits))
    Job.objects.filter(pk=cancelled.pk).update(finished_at=long_ago(settings))
    sweeps.forget_checkpoints()
    sweeps.forget_starts()
    assert not cancelled.checkpoints.exists()
    validations.validate_model(str(child.validations.get().pk))
    again = finish(training.reproduce_model(actor=alice, model=child))
    assert again.is_identical is True
    assert again.job.start_sha256 == child.job.start_sha256
    repeated = trained(training.retrain_job(owner=alice, job=child.job))
    assert repeated.job.start_sha256 == child.job.start_sha256


def test_a_checkpoint_that_a_job_waits_to_begin_from_is_spared(alice, cancelled, digits, settings):
    *_, older, newest = cancelled.checkpoints.order_by("step")
    job = further(alice, newest, digits)
    Job.objects.filter(pk=cancelled.pk).update(finished_at=long_ago(settings))
    sweeps.forget_checkpoints()
    chunks.forget(newest)
    assert list(cancelled.checkpoints.all()) == [newest]
    trained(job)
    sweeps.forget_checkpoints()
    assert not cancelled.checkpoints.exists()
    with pytest.raises(training.NotReady, match="is not kept any more; checkpoints are for 7 days"):
        further(alice, older, digits)


def test_what_a_job_without_a_model_began_from_is_forgotten_with_time(
    alice, cancelled, digits, settings
):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    job = further(alice, cancelled.checkpoints.first(), digits, epochs=3)
    chunks.run_turn()
    training.cancel_job(actor=alice, job=job)
    sha256 = job.start_sha256
    sweeps.forget_starts()
    assert blobs.get(sha256)
    Job.objects.update(finished_at=long_ago(settings))
    sweeps.forget_starts()
    sweeps.forget_checkpoints()
    assert not blobs.default_storage.exists(blobs.name(sha256))
    job.refresh_from_db()
    with pytest.raises(training.NotReady, match="is not kept any more"):
        training.retrain_job(owner=alice, job=job)


def test_a_job_that_still_trains_and_a_strangers_are_nobodys_start(alice, mallory, job, settings):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    chunks.run_turn()
    checkpoint = job.checkpoints.get()
    with pytest.raises(training.NotReady, match="still trains; cancel it, or wait"):
        further(alice, checkpoint, job.dataset)
    with pytest.raises(training.NotOwner, match="Only the owner"):
        further(mallory, checkpoint, job.dataset)


def test_alices_program_trains_on_from_a_checkpoint(client, alice, mallory, cancelled):
    client.force_login(alice)
    kept = client.get(f"/api/v1/training-jobs/{cancelled.pk}").json()["checkpoints"]
    steps = [each["step"] for each in kept]
    assert len(steps) == chunks.CHECKPOINTS_KEPT
    sent = {"content_type": "application/json"}
    body = {"config": SMALL, "parent_job_id": str(cancelled.pk)}
    newest = client.post("/api/v1/training-jobs", body, **sent)
    assert newest.status_code == 202, newest.content
    older = client.post("/api/v1/training-jobs", body | {"parent_step": steps[1]}, **sent).json()
    told = newest.json()["parent_job_id"], newest.json()["parent_step"], older["parent_step"]
    assert told == (str(cancelled.pk), *steps[:2])
    wrong = client.post("/api/v1/training-jobs", body | {"parent_step": 10**9}, **sent)
    assert wrong.status_code == 400
    assert f"kept are: {steps[0]}, {steps[1]}, " in wrong.json()["detail"]
    client.force_login(mallory)
    assert client.post("/api/v1/training-jobs", body, **sent).status_code == 404


def test_alices_program_reads_what_is_wrong_with_where_its_job_was_to_begin(
    client, alice, job, model
):
    client.force_login(alice)
    bare = training.cancel_job(actor=alice, job=training.retrain_job(owner=alice, job=job))
    waiting = training.submit_job(owner=alice, dataset=job.dataset, config=SMALL, tier=Tier.NANO)
    jobs = Job.objects.count()
    for names, status, said in (
        ({"parent_model_id": model, "parent_step": 5}, 400, "parent_step: a model has no steps;"),
        ({"parent_model_id": model, "parent_job_id": job}, 400, "parent_job_id: a job begins from"),
        ({"parent_step": 5}, 400, "parent_step: say of which job: parent_job_id."),
        ({"parent_job_id": model}, 404, "parent_job_id: is no job of yours."),
        ({"parent_job_id": bare}, 400, f"parent_job_id: is not kept: “{bare.name}” has no check"),
        ({"parent_job_id": waiting}, 409, f"“{waiting.name}” still trains; cancel it, or wait"),
    ):
        sent = {key: getattr(value, "pk", value) for key, value in names.items()}
        body = {"config": SMALL} | sent
        answer = client.post("/api/v1/training-jobs", body, content_type="application/json")
        assert (answer.status_code, answer.json()["detail"][: len(said)]) == (status, said)
    assert Job.objects.count() == jobs


@pytest.mark.usefixtures("in_this_process")
def test_alice_does_not_test_on_rows_that_trained_the_checkpoint(alice, settings):
    """Neither at once, nor where a model lies between."""
    settings.TRAINING_CHUNK_SECONDS = 0.0
    first = read(
        training.upload_dataset(owner=alice, file=io.BytesIO(FLOWERS), file_name="flowers.csv")
    )
    source = training.submit_job(owner=alice, dataset=first, config=FLOWER_NETWORK, tier=Tier.NANO)
    chunks.run_turn()
    training.cancel_job(actor=alice, job=source)
    checkpoint = Checkpoint.objects.get(job=source)
    other = read(
        training.correct_schema(actor=alice, dataset=first, recipe=KIND, split=split(seed=7))
    )
    with pytest.raises(training.InvalidConfig, match=f"were shown to “{source.name}”"):
        further(alice, checkpoint, other, config=FLOWER_NETWORK)
    child = trained(further(alice, checkpoint, first, config=FLOWER_NETWORK))
    with pytest.raises(training.InvalidConfig, match="were shown to"):
        further(alice, child, other, config=FLOWER_NETWORK)
    validations.validate_model(str(child.validations.get().pk))
    found = Model.objects.get(pk=child.pk).validations.get()
    assert found.report["ancestors"]["models"] == [source.name]


def test_a_checkpoint_whose_kernel_is_gone_is_refused_before_it_costs(alice, cancelled, digits):
    Job.objects.filter(pk=cancelled.pk).update(kernel_hash="0" * 64)
    cancelled.refresh_from_db()
    before = billing.available_microcredits(alice)
    jobs = Job.objects.count()
    with pytest.raises(training.NotReady, match="a kernel that is gone: .* from a model of yours"):
        further(alice, cancelled.checkpoints.first(), digits)
    assert billing.available_microcredits(alice) == before
    assert Job.objects.count() == jobs


def test_a_worker_whose_disk_is_slow_keeps_the_job_it_makes_a_start_for(
    alice, cancelled, digits, monkeypatch
):
    job = further(alice, cancelled.checkpoints.first(), digits)
    claimed = chunks.claim(str(job.pk))
    with disk_is_slow(monkeypatch) as is_taken_for_dead:
        assert beginnings.model_of(claimed) is not None
    assert len(is_taken_for_dead) > 2
    assert not any(is_taken_for_dead)
