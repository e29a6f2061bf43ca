"""What is done to data that are there: a schema corrected, a name changed, a dataset deleted."""

from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection, transaction
from django.db.utils import IntegrityError, InternalError

from governance import services as governance
from governance.models import AuditEntry
from tests.conftest import SMALL
from tests.training.test_uploads import RECIPE, SPLIT, made_ready, upload
from training import services as training
from training.models import Dataset, Tier, Work
from training.runner import blobs, leases


def correct(actor, dataset, recipe=RECIPE, split=SPLIT) -> Dataset:
    return training.correct_schema(actor=actor, dataset=dataset, recipe=recipe, split=split)


def test_alice_corrects_a_schema_in_place_while_nothing_was_made_of_it(alice):
    dataset = made_ready(upload(alice))
    corrected = correct(alice, dataset)
    assert (corrected.pk, corrected.version, corrected.status) == (dataset.pk, 1, "queued")
    assert (corrected.sha256, corrected.rows) == ("", 0)
    assert corrected.split == SPLIT | {"column": ""}
    assert corrected.recipe["columns"][2]["role"] == "target"


def test_a_schema_sent_from_two_windows_makes_one_version(alice, digits):
    Dataset.objects.filter(pk=digits.pk).update(owner=alice, upload_sha256="0" * 64)
    training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO)
    digits.refresh_from_db()
    second = correct(alice, digits, digits.recipe)
    assert correct(alice, digits, digits.recipe).pk == second.pk
    Dataset.objects.filter(pk=second.pk).update(status=Work.Status.DONE)
    assert correct(alice, second, digits.recipe).status == Work.Status.DONE
    other = correct(alice, digits, digits.recipe, SPLIT | {"seed": 9})
    assert other.version == 3
    Dataset.objects.filter(pk=other.pk).update(status=Work.Status.FAILED)
    again = correct(alice, other, digits.recipe, SPLIT | {"seed": 9})
    assert (again.pk, again.status) == (other.pk, Work.Status.QUEUED)


def test_who_hangs_over_the_old_recipe_writes_nothing_any_more(alice):
    dataset = made_ready(upload(alice))
    Dataset.objects.filter(pk=dataset.pk).update(attempt=1)
    dataset.refresh_from_db()
    corrected = correct(alice, dataset)
    assert corrected.attempt == 2
    with pytest.raises(leases.LeaseLost):
        leases.write(dataset, status=Work.Status.DONE)
    corrected.refresh_from_db()
    assert corrected.status == Work.Status.QUEUED


def test_a_schema_that_a_job_stands_on_becomes_the_next_version(alice, digits):
    Dataset.objects.filter(pk=digits.pk).update(owner=alice, upload_sha256="0" * 64)
    job = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO)
    digits.refresh_from_db()
    recipe = digits.recipe | {"columns": digits.recipe["columns"][:]}
    corrected = correct(alice, digits, recipe)
    assert corrected.pk != digits.pk
    assert (corrected.family, corrected.version) == (digits.family, 2)
    assert (corrected.status, corrected.upload_sha256) == ("queued", "0" * 64)
    job.refresh_from_db()
    assert job.dataset == digits
    digits.refresh_from_db()
    assert digits.status == Work.Status.DONE


def test_a_job_is_not_placed_on_data_that_were_corrected_meanwhile(alice, digits):
    Dataset.objects.filter(pk=digits.pk).update(owner=alice)
    correct(alice, digits, digits.recipe)
    with pytest.raises(training.NotReady, match="corrected just now"):
        training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO)
    assert not digits.jobs.exists()


def test_the_database_reads_nothing_again_that_a_job_stands_on(job):
    rows = Dataset.objects.filter(pk=job.dataset.pk)
    with pytest.raises((IntegrityError, InternalError)), transaction.atomic():
        rows.update(status=Work.Status.QUEUED)
    assert connection.is_usable()


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "pie"}, "recipe.kind"),
        ({"columns": RECIPE["columns"][:2]}, "recipe.columns"),
        ({"columns": [*RECIPE["columns"], {"name": "new", "kind": "number"}]}, "recipe.columns"),
        (
            {"columns": [*RECIPE["columns"][:2], {"name": "kind", "kind": "plant"}]},
            "recipe.columns[2].kind",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_names_the_column(alice, change, path):
    dataset = made_ready(upload(alice))
    with pytest.raises(training.InvalidSchema) as refused:
        correct(alice, dataset, RECIPE | change)
    assert refused.value.invalid_parameters[0]["field"] == path
    dataset.refresh_from_db()
    assert dataset.status == Work.Status.DONE


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"kind": "fair"}, "split.kind"),
        ({"train": 0.9}, "split"),
        ({"seed": -1}, "split.seed"),
        ({"test": "much"}, "split.test"),
        ({"kind": "group"}, "split.column"),
        ({"kind": "group", "column": "nowhere"}, "split.column"),
    ],
)
def test_a_split_that_cannot_be_names_its_field(alice, change, path):
    dataset = made_ready(upload(alice))
    with pytest.raises(training.InvalidSchema) as refused:
        correct(alice, dataset, split=SPLIT | change)
    assert refused.value.invalid_parameters[0]["field"] == path


def test_a_schema_is_not_corrected_while_a_worker_reads(alice):
    with pytest.raises(training.NotReady, match="still being prepared"):
        correct(alice, upload(alice))


def test_mallory_changes_nothing_of_alices(alice, mallory, digits):
    dataset = made_ready(upload(alice))
    for theirs in (dataset, digits):
        with pytest.raises(governance.NotAllowed):
            correct(mallory, theirs)
        with pytest.raises(governance.NotAllowed):
            training.rename_dataset(actor=mallory, dataset=theirs, name="Mine")
        with pytest.raises(governance.NotAllowed):
            training.delete_dataset(actor=mallory, dataset=theirs)
    assert Dataset.objects.filter(name="plants").exists()


def test_alice_renames_all_versions_alike(alice):
    dataset = made_ready(upload(alice))
    Dataset.objects.create(
        owner=alice, name="plants", slug="second", family=dataset.family, version=2
    )
    training.rename_dataset(actor=alice, dataset=dataset, name="Leaves", licence="MIT")
    names = Dataset.objects.of(alice).values_list("name", "licence")
    assert list(names) == [("Leaves", "MIT")] * 2
    with pytest.raises(training.InvalidUpload, match="^name: "):
        training.rename_dataset(actor=alice, dataset=dataset, name="\x07")


def test_alice_deletes_a_dataset_and_its_bytes_go_with_it(
    alice, bob, django_capture_on_commit_callbacks
):
    dataset, same = made_ready(upload(alice)), upload(bob)
    with django_capture_on_commit_callbacks(execute=True):
        training.delete_dataset(actor=alice, dataset=dataset)
    assert not blobs.is_whole(dataset.sha256)
    assert blobs.is_whole(dataset.upload_sha256)  # bob brought the same file
    with django_capture_on_commit_callbacks(execute=True):
        training.delete_dataset(actor=bob, dataset=same)
    assert not blobs.is_whole(same.upload_sha256)
    assert AuditEntry.objects.filter(verb="delete_dataset").count() == 2


def test_what_a_job_or_model_was_made_of_is_not_deleted(alice, digits, job):
    Dataset.objects.filter(pk=digits.pk).update(owner=alice)
    with pytest.raises(training.DatasetInUse, match=f"job “{job.name}”"):
        training.delete_dataset(actor=alice, dataset=digits)
    assert Dataset.objects.filter(pk=digits.pk).exists()


def test_data_that_were_said_to_be_split_by_what_was_ignored_say_so_no_more(alice, digits):
    """Of groups and of time it is so, and of bundled rows by whose classes they are stratified."""
    told = {}
    for number, kind in enumerate(("random", "stratified", "group", "time")):
        dataset = upload(alice, b"a,b\n%d,2\n" % number)
        Dataset.objects.filter(pk=dataset.pk).update(split={"kind": kind, "column": "comment"})
        told[kind] = dataset
    Dataset.objects.filter(pk=digits.pk).update(split={"kind": "stratified", "column": "digit"})
    import_module("training.migrations.0018_splits_by_no_column").forget(apps, connection)
    for kind, dataset in told.items():
        dataset.refresh_from_db()
        assert dataset.split["column"] == ("comment" if kind in ("group", "time") else "")
    digits.refresh_from_db()
    assert digits.split["column"] == "digit"
