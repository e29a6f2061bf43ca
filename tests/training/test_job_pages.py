"""The live page of a job, several jobs side by side, and the same through the API."""

import re
from datetime import timedelta

import pytest
from django.db.models import Value
from django.db.models.functions import Now
from django.urls import reverse

from billing import services as billing
from billing.models import Hold
from tests.conftest import SMALL
from tests.training.test_pages import text
from training import services as training
from training.models import Event, Job, Model, Point, Tier, Work
from training.runner import chunks, curves

LATERAL = SMALL | {"divergent": {"enabled": True, "pattern": "lateral", "factor": 0.3}}
HTMX = {"HX-Request": "true"}
SPIKE = (4_321, 99.0)


@pytest.fixture
def long_job(job):
    """A job of 10,000 epochs, all measured, with one spike in its training loss."""
    Job.objects.filter(pk=job.pk).update(
        epochs=10_000, status=Work.Status.RUNNING, steps_done=400, compute_seconds=2.0
    )
    Point.objects.bulk_create(
        Point(
            job=job,
            epoch=epoch,
            step=epoch,
            train_loss=SPIKE[1] if epoch == SPIKE[0] else 1 / epoch,
            train_metric=epoch / 10_000,
            validation_loss=2 / epoch,
            validation_metric=None,
            learning_rate=0.001,
        )
        for epoch in range(1, 10_001)
    )
    job.refresh_from_db()
    return job


def test_a_long_curve_is_bucketed_and_keeps_its_spike_and_its_end(long_job):
    found = curves.bucketed(long_job)
    assert set(found) == {"train_loss", "validation_loss", "train_metric", "learning_rate"}
    for curve in found.values():
        assert len(curve) <= curves.POINTS_MAX
        epochs = [epoch for epoch, _ in curve]
        assert epochs == sorted(set(epochs))
        assert epochs[-1] == 10_000
    assert SPIKE in found["train_loss"]
    assert found["train_loss"][0] == (1, 1.0)
    assert found["train_loss"][-1] == (10_000, 1 / 10_000)


def test_a_short_curve_is_whole(job):
    chunks.run_turn()
    points = list(job.points.values_list("epoch", "validation_loss"))
    assert curves.bucketed(job)["validation_loss"] == points


def test_ten_thousand_epochs_are_a_short_answer_and_nothing_new_is_none(client, alice, long_job):
    client.force_login(alice)
    page = client.get(long_job.get_absolute_url(), headers=HTMX)
    assert page.status_code == 200
    assert len(page.content) < 300_000
    seen = training.job_version(job=long_job)
    again = client.get(long_job.get_absolute_url(), {"seen": seen}, headers=HTMX)
    assert (again.status_code, again.content) == (204, b"")


def test_what_changed_is_sent_and_a_whole_page_always(client, alice, job):
    client.force_login(alice)
    seen = {"seen": training.job_version(job=job)}
    Event.objects.create(job=job, message="Something happened.")
    assert "Something happened." in text(client.get(job.get_absolute_url(), seen, headers=HTMX))
    newest = {"seen": training.job_version(job=job)}
    assert client.get(job.get_absolute_url(), newest, headers=HTMX).status_code == 204
    assert "<html" in text(client.get(job.get_absolute_url(), newest))


def test_the_page_asks_few_questions(client, alice, long_job, django_assert_max_num_queries):
    client.force_login(alice)
    with django_assert_max_num_queries(16):
        client.get(long_job.get_absolute_url())


def test_the_page_of_a_running_job_shows_its_figures(client, alice, job, settings):
    settings.TRAINING_CHUNK_SECONDS = 0.0
    chunks.run_turn()
    client.force_login(alice)
    page = text(client.get(job.get_absolute_url()))
    assert "steps/s" in page
    assert "rows/s" in page
    assert "Time left" in page
    assert "Learning rate" in page
    assert "Validation accuracy" in page
    assert f"of at most {billing.credits(job.quote_microcredits)}" in page
    assert 'sse-connect="' in page
    assert "sse:change, every 1s" in page


def test_the_page_of_a_job_that_is_over_asks_no_more(client, alice, job):
    chunks.run_turn()
    client.force_login(alice)
    page = text(client.get(job.get_absolute_url()))
    assert "hx-trigger" not in page
    assert "sse-connect" not in page
    assert 'http-equiv="refresh"' not in page


def test_alice_may_fine_tune_as_soon_as_the_job_that_she_watches_is_done(client, alice, job):
    client.force_login(alice)
    link = re.compile(r'<a class="button" id="finetune"[^>]*>')
    assert link.findall(text(client.get(job.get_absolute_url()))) == [
        '<a class="button" id="finetune" hidden>'
    ]
    assert not link.findall(text(client.get(job.get_absolute_url(), headers=HTMX)))
    chunks.run_turn()
    where = f'href="{reverse("training:new_job")}?parent={Model.objects.get(job=job).pk}"'
    swapped = link.findall(text(client.get(job.get_absolute_url(), headers=HTMX)))
    assert swapped == [f'<a class="button" id="finetune" {where} hx-swap-oob="true">']
    whole = link.findall(text(client.get(job.get_absolute_url())))
    assert whole == [f'<a class="button" id="finetune" {where}>']


def test_the_metric_bears_its_own_name(client, alice, job):
    chunks.run_turn()
    Job.objects.filter(pk=job.pk).update(metric="mean_absolute_error")
    client.force_login(alice)
    page = text(client.get(job.get_absolute_url()))
    assert "Validation mean absolute error" in page
    assert "Validation accuracy" not in page


def test_a_job_that_is_held_back_says_why(client, alice, digits):
    asked = {"owner": alice, "dataset": digits, "config": SMALL, "tier": Tier.NANO}
    jobs = [training.submit_job(seed=seed, **asked) for seed in range(3)]
    client.force_login(alice)
    assert "First in line" in text(client.get(jobs[0].get_absolute_url()))
    assert "1 job in line before it" in text(client.get(jobs[1].get_absolute_url()))
    held = text(client.get(jobs[2].get_absolute_url()))
    assert "Waits until one of your 2 running jobs is over" in held


def test_the_chosen_jobs_are_compared_by_what_differs(client, alice, digits):
    asked = {"owner": alice, "dataset": digits, "tier": Tier.NANO}
    faster = SMALL | {"training": SMALL["training"] | {"learning_rate": 0.01}}
    jobs = [
        training.submit_job(config=config, seed=1, name=name, **asked)
        for config, name in ((SMALL, "slow"), (faster, "fast"))
    ]
    for _ in jobs:
        chunks.run_turn()
    client.force_login(alice)
    assert 'name="job"' in text(client.get("/jobs/"))
    page = client.get("/jobs/compare/", {"job": [job.pk for job in jobs]})
    found = page.context["comparison"]
    assert [(row.label, row.values) for row in found.differences] == [
        ("training.learning_rate", ["0.003", "0.01"])
    ]
    assert list(found.loss) == ["1 slow", "2 fast"]
    figures = {row.label: row.values for row in found.figures}
    assert figures["Validation loss"] == [job.points.last().validation_loss for job in jobs]
    assert text(page).count("<svg") >= 2


@pytest.mark.parametrize("count", [0, 1])
def test_one_job_alone_is_no_comparison(client, alice, job, count):
    client.force_login(alice)
    page = text(client.get("/jobs/compare/", {"job": [job.pk] * count}))
    assert "Choose two jobs or more" in page


def test_mallory_cannot_compare_the_jobs_of_alice(client, mallory, job):
    client.force_login(mallory)
    assert client.get("/jobs/compare/", {"job": [job.pk]}).status_code == 404
    assert client.get("/jobs/compare/", {"job": ["x"]}).status_code == 404
    for name in ("job_stream", "job"):
        assert client.get(reverse(f"training:{name}", args=[job.pk])).status_code == 404
    for name in ("retrain_job", "run_baseline"):
        assert client.post(reverse(f"training:{name}", args=[job.pk])).status_code == 404


def test_seven_jobs_are_too_many_to_tell_apart(client, alice, digits):
    asked = {"owner": alice, "dataset": digits, "config": SMALL, "tier": Tier.NANO}
    jobs = [training.submit_job(seed=seed, **asked) for seed in range(7)]
    client.force_login(alice)
    page = client.get("/jobs/compare/", {"job": [job.pk for job in jobs]})
    assert page.status_code == 409
    assert "compare at most 6" in text(page)


def test_a_divergent_run_stands_beside_its_plain_baseline(client, alice, digits):
    job = training.submit_job(
        owner=alice, dataset=digits, config=LATERAL, tier=Tier.NANO, seed=7, name="lateral"
    )
    client.force_login(alice)
    assert "Run the plain baseline beside it" in text(client.get(job.get_absolute_url()))
    where = reverse("training:run_baseline", args=[job.pk])
    page = client.post(where, follow=True)
    plain = Job.objects.get(repeats=job)
    assert (plain.seed, plain.config["divergent"]["enabled"]) == (7, False)
    assert [column.job for column in page.context["comparison"].columns] == [job, plain]
    labels = [row.label for row in page.context["comparison"].differences]
    assert labels == ["divergent.enabled"]
    client.post(where)
    assert Job.objects.filter(repeats=job).count() == 1  # the same one again


def test_a_plain_job_is_its_own_baseline(client, alice, job):
    client.force_login(alice)
    assert "plain baseline" not in text(client.get(job.get_absolute_url()))
    page = client.post(reverse("training:run_baseline", args=[job.pk]))
    assert page.status_code == 409
    assert "no divergent pattern" in text(page)


def test_training_again_takes_the_next_seed(client, alice, job):
    client.force_login(alice)
    client.post(reverse("training:retrain_job", args=[job.pk]))
    Job.objects.filter(repeats=job).update(created_at=Now() - Value(timedelta(seconds=6)))
    client.post(reverse("training:retrain_job", args=[job.pk]))
    again = Job.objects.filter(repeats=job).order_by("seed")
    assert [other.seed for other in again] == [2, 3]
    assert all(other.config == job.config for other in again)


def test_a_double_click_trains_again_once(client, alice, job):
    client.force_login(alice)
    where = reverse("training:retrain_job", args=[job.pk])
    first, second = client.post(where), client.post(where)
    again = Job.objects.get(repeats=job)
    assert first.url == second.url == again.get_absolute_url()
    assert Hold.objects.count() == 2  # of the job, and of the one repetition
    client.post(reverse("training:retrain_job", args=[again.pk]))  # of the repetition, another
    assert Job.objects.filter(repeats=job).count() == 2


def test_the_api_lists_jobs_and_reads_their_curves(client, alice, bob, job, digits):
    other = training.submit_job(owner=alice, dataset=digits, config=SMALL, tier=Tier.NANO, seed=2)
    chunks.run_turn()
    client.force_login(alice)
    listed = client.get("/api/v1/training-jobs").json()
    assert [row["job_id"] for row in listed["jobs"]] == [str(other.pk), str(job.pk)]
    waiting = client.get(f"/api/v1/training-jobs/{other.pk}").json()
    assert (waiting["queue_position"], waiting["is_held_back"]) == (1, False)
    done = client.get(f"/api/v1/training-jobs/{job.pk}").json()
    assert (done["metric"], done["queue_position"]) == ("accuracy", None)
    assert done["validation_metric"] == done["validation_accuracy"] > 0.9
    found = client.get(f"/api/v1/training-jobs/{job.pk}/curves").json()
    assert found["series"]["train_loss"][0] == [1, job.points.first().train_loss]
    assert len(found["series"]["validation_metric"]) == 12
    client.force_login(bob)
    assert client.get(f"/api/v1/training-jobs/{job.pk}/curves").status_code == 404
    assert client.get("/api/v1/training-jobs").json()["jobs"] == []
