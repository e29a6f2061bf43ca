"""alice has her model made again, and reads whether the same came out."""

import shutil
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from billing import services as billing
from kernels import build
from tests.conftest import SMALL
from training import services as training
from training.models import Job, Model, Reproduction, Tier, Work
from training.runner import blobs, chunks, leases, reproductions, sweeps, validations


@pytest.fixture
def model(trained):
    """Few tests here read a figure of it: those ask for `measured`."""
    return trained


def finish(reproduction: Reproduction) -> Reproduction:
    """What the worker does until there is an answer."""
    chunks.run_turn()
    reproductions.compare_reproduction(str(reproduction.pk))
    reproduction.refresh_from_db()
    return reproduction


@contextmanager
def without_walls():
    """The database as somebody would have it who may switch its triggers off."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = origin")


@pytest.fixture
def again(alice, model) -> Reproduction:
    return training.reproduce_model(actor=alice, model=model)


@pytest.mark.usefixtures("measured")
def test_the_same_comes_out_to_the_last_bit(alice, model, again):
    found = finish(again)
    assert found.status == Work.Status.DONE
    assert found.is_identical is True
    assert found.differences == []
    assert found.weights_sha256 == model.weights_sha256
    assert found.sha256 == model.sha256  # the whole file, provenance and all
    compared = {one["name"] for one in found.comparisons}
    assert {"weights", "file", "kernel", "steps", "curves", "accuracy", "f1"} <= compared
    assert Model.objects.count() == 1  # it makes no second model


def test_who_asks_pays_what_was_quoted_before(alice, model):
    before = billing.available_microcredits(alice)
    quote = training.quote_reproduction(model=model)
    assert quote.microcredits == model.job.quote_microcredits
    reproduction = training.reproduce_model(actor=alice, model=model)
    finish(reproduction)
    reproduction.job.refresh_from_db()
    assert 0 < reproduction.job.cost_microcredits <= quote.microcredits
    spent = before - billing.available_microcredits(alice)
    assert spent == reproduction.job.cost_microcredits
    assert billing.ledger_faults() == []


def test_the_job_is_the_first_one_again(model, again):
    job = again.job
    assert job.repeats == model.job
    same = ("dataset", "config", "tier", "seed", "parent", "category", "metric", "steps_total")
    for name in same:
        assert getattr(job, name) == getattr(model.job, name), name
    assert job.kernel_hash == model.kernel_hash


def test_asking_twice_waits_for_the_same_reproduction(alice, model, again):
    assert training.reproduce_model(actor=alice, model=model) == again
    finish(again)
    assert training.reproduce_model(actor=alice, model=model) != again


def test_a_weight_that_differs_is_named(model, again):
    with without_walls():
        Model.objects.filter(pk=model.pk).update(weights_sha256="0" * 64)
    found = finish(again)
    assert found.is_identical is False
    assert [one["name"] for one in found.differences] == ["weights"]
    assert found.differences[0]["expected"] == "0" * 64
    assert found.differences[0]["found"] == found.weights_sha256


@pytest.mark.usefixtures("measured")
def test_a_figure_that_was_made_up_is_named(model, again):
    with without_walls():
        model.validations.update(accuracy=1.0, metrics={})
    found = finish(again)
    assert [one["name"] for one in found.differences] == ["accuracy"]


def test_a_point_of_the_curves_that_was_changed_is_named(model, again):
    with without_walls():
        model.job.points.filter(epoch=3).update(train_loss=0.125)
    assert [one["name"] for one in finish(again).differences] == ["curves"]


def test_an_answer_is_never_changed(again):
    finish(again)
    with pytest.raises(IntegrityError, match="never changed"), transaction.atomic():
        Reproduction.objects.update(is_identical=False)


def test_mallory_cannot_have_alices_model_made_again(model, mallory):
    with pytest.raises(training.NotOwner):
        training.reproduce_model(actor=mallory, model=model)
    assert not Reproduction.objects.exists()


def test_without_credits_nothing_is_queued(alice, model):
    billing.hold(
        owner=alice,
        amount_microcredits=billing.available_microcredits(alice),
        key="all of it",
        reason="spent elsewhere",
    )
    with pytest.raises(billing.InsufficientCredits):
        training.reproduce_model(actor=alice, model=model)
    assert not Reproduction.objects.exists()
    assert Job.objects.count() == 1


def test_a_cancelled_job_ends_its_reproduction(alice, again):
    training.cancel_job(actor=alice, job=again.job)
    reproductions.compare_reproduction(str(again.pk))
    again.refresh_from_db()
    assert again.status == Work.Status.CANCELLED
    assert "cancelled" in again.error_message
    assert again.is_identical is None


def test_nothing_is_compared_before_the_job_is_over(again):
    reproductions.compare_reproduction(str(again.pk))
    again.refresh_from_db()
    assert (again.status, again.attempt) == (Work.Status.QUEUED, 0)


def test_what_another_worker_took_over_is_not_concluded_twice(again):
    chunks.run_turn()
    held = leases.claim(Reproduction, str(again.pk))
    assert held is not None
    reproductions.compare_reproduction(str(again.pk))
    again.refresh_from_db()
    assert again.is_identical is None
    reproductions.conclude(held)
    again.refresh_from_db()
    assert again.is_identical is True


def test_a_lost_message_is_a_delay(again, monkeypatch):
    chunks.run_turn()
    sent = []
    monkeypatch.setattr(
        sweeps.current_app, "send_task", lambda task, kwargs: sent.append((task, kwargs))
    )
    monkeypatch.setattr(sweeps, "WAITED", timedelta(0))
    sweeps.hint_waiting()
    hint = ("training.tasks.compare_reproduction", {"reproduction_id": str(again.pk)})
    assert hint in sent


def test_a_model_of_a_cluster_is_refused_with_the_way_out(alice, model):
    Job.objects.filter(pk=model.job_id).update(is_distributed=True)
    model.refresh_from_db()
    with pytest.raises(training.NotReproducible, match="train it again on a cluster"):
        training.reproduce_model(actor=alice, model=model)


def test_what_was_trained_further_is_made_again_from_the_same_parent(alice, model, digits):
    config = SMALL | {"training": SMALL["training"] | {"epochs": 2}}
    job = training.submit_job(
        owner=alice, parent=model, dataset=digits, config=config, tier=Tier.NANO, seed=9
    )
    chunks.run_turn()
    child = Model.objects.get(job=job)
    validations.validate_model(str(child.validations.get().pk))
    again = finish(training.reproduce_model(actor=alice, model=child))
    assert again.job.parent == model
    assert again.is_identical is True
    lineage = training.lineage_of(model=model)
    assert lineage.children == [child]
    assert training.lineage_of(model=child).parent == model


# Versions


def test_a_job_that_is_trained_again_makes_the_next_version(alice, model):
    for number in (2, 3):
        job = training.retrain_job(owner=alice, job=model.job)
        chunks.run_turn()
        found = Model.objects.get(job=job)
        assert (found.family, found.version) == (model.family, number)
    assert [one.version for one in training.lineage_of(model=model).versions] == [3, 2, 1]


def test_a_repetition_that_ends_before_its_first_run_is_a_version_of_it(job, alice):
    claimed = chunks.claim(str(job.pk))
    again = training.retrain_job(owner=alice, job=job)
    chunks.run_turn()
    run = chunks.start(claimed)
    chunks.commit_model(claimed, run, points=list(run.run()), seconds=1.0)
    first, second = Model.objects.get(job=job), Model.objects.get(job=again)
    assert first.family == second.family
    assert (second.version, first.version) == (1, 2)


def test_a_plain_baseline_is_a_model_of_its_own(alice, digits):
    pattern = {"enabled": True, "pattern": "lateral", "factor": 0.3}
    job = training.submit_job(
        owner=alice, dataset=digits, config=SMALL | {"divergent": pattern}, tier=Tier.NANO
    )
    chunks.run_turn()
    plain = training.run_baseline(owner=alice, job=job)
    chunks.run_turn()
    first, second = Model.objects.get(job=job), Model.objects.get(job=plain)
    assert first.family != second.family
    assert second.version == 1


# Kernels of the past


def test_a_kernel_that_is_gone_is_said_before_anything_is_paid(alice, model):
    with without_walls():
        Model.objects.filter(pk=model.pk).update(kernel_hash="0" * 64)
    model.refresh_from_db()
    with pytest.raises(training.NotReproducible, match="is not kept here"):
        training.reproduce_model(actor=alice, model=model)
    assert not Reproduction.objects.exists()


@pytest.fixture
def old_kernel(tmp_path, monkeypatch):
    """The kernels of this morning, and today's beside them: other bytes, the same instructions."""
    today = build.module()
    folder = tmp_path / "kernels"
    shutil.copytree(today.path.parent, folder / today.path.parent.name)
    old = folder / "0123456789abcdef"
    shutil.copytree(today.path.parent, old)
    section = b"\0\x05\x04note"  # a custom one: it changes the hash and no arithmetic
    (old / "simd.wasm").write_bytes(today.path.read_bytes() + section)
    for kept in old.glob("*.cwasm"):
        kept.unlink()
    monkeypatch.setenv("KERNELS_DIR", str(folder))
    return old, build.file_hash(old / "simd.wasm")


def test_what_an_old_kernel_made_is_made_again_by_it(alice, model, old_kernel):
    old, kernel_hash = old_kernel
    with without_walls():
        Model.objects.filter(pk=model.pk).update(kernel_hash=kernel_hash)
    model.refresh_from_db()
    again = training.reproduce_model(actor=alice, model=model)
    finish(again)
    again.job.refresh_from_db()
    assert again.job.kernel_hash == kernel_hash != build.module().kernel_hash
    assert again.weights_sha256 == model.weights_sha256
    # all but the file, which says which kernel made it
    assert [one["name"] for one in again.differences] == ["file"]


def test_an_old_kernel_of_another_table_is_refused(old_kernel):
    old, kernel_hash = old_kernel
    (old / "dispatch.h").write_text("// other numbers\n")
    with pytest.raises(build.ModuleUnknown, match="another table of instructions"):
        build.module_of(kernel_hash)


def test_an_old_kernel_stays_of_use_when_instructions_were_added(old_kernel):
    old, kernel_hash = old_kernel
    for name in ("table.h", "dispatch.h"):
        *known, _ = (old / name).read_text().splitlines(keepends=True)
        (old / name).write_text("".join(known))
    assert build.module_of(kernel_hash).kernel_hash == kernel_hash


def test_the_file_of_a_reproduction_is_not_swept_away(again):
    chunks.run_turn()
    other = blobs.put(b"what came out when it did not come out the same")
    Reproduction.objects.filter(pk=again.pk).update(sha256=other)
    sweeps.forget_blob(other, is_named=lambda _: False)
    assert blobs.is_whole(other)
    Reproduction.objects.filter(pk=again.pk).update(sha256="")
    sweeps.forget_blob(other, is_named=lambda _: False)
    assert not blobs.is_whole(other)
