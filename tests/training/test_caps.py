"""How much work a person may have waiting, by plan."""

import threading

import pytest
from django.db import connection
from django.test import Client

from billing import services as billing
from billing.models import Hold
from tests.conftest import SMALL
from training import services as training
from training.models import Export, Job, Model, Reproduction, Tier, Validation, Work
from training.runner import chunks
from training.runner.caps import CAPS, Load
from training.runner.plans import FREE, PAYING

AT_ONCE = CAPS[FREE.name].loads


def submit(owner, dataset, count=1):
    asked = {"owner": owner, "dataset": dataset, "config": SMALL, "tier": Tier.NANO}
    return [training.submit_job(seed=seed, **asked) for seed in range(count)]


def filled(model):
    """Alice has as many validations waiting as her plan has at once, of models of hers."""
    while training.rooms_of(model.owner_id)[Load.VALIDATIONS].left:
        Validation.objects.create(model=model, kind=Validation.Kind.PERFORMANCE)


def buy_credits(user):
    billing.issue(
        user=user,
        amount_microcredits=50_000_000,
        reason="Bought",
        key=f"bought/{user.pk}",
        promotional=False,
    )


def test_mallory_queues_only_so_many_jobs_and_no_credits_are_held_for_the_next(mallory, digits):
    jobs = submit(mallory, digits, AT_ONCE[Load.JOBS])
    held = Hold.objects.count()
    with pytest.raises(training.TooMuchAtOnce, match="queued jobs: you have 20.*“free”.*cancel"):
        submit(mallory, digits)
    assert (Job.objects.count(), Hold.objects.count()) == (len(jobs), held)
    training.cancel_job(actor=mallory, job=jobs[0])
    submit(mallory, digits)


def test_a_job_that_has_begun_makes_room_and_anothers_takes_none(mallory, bob, digits):
    jobs = submit(mallory, digits, AT_ONCE[Load.JOBS])
    submit(bob, digits)
    assert chunks.claim(str(jobs[0].pk)) is not None
    submit(mallory, digits)


def test_who_pays_may_have_more_waiting(alice, digits):
    submit(alice, digits, AT_ONCE[Load.JOBS])
    buy_credits(alice)
    submit(alice, digits)
    assert training.rooms_of(alice.pk)[Load.JOBS].limit == CAPS[PAYING.name].loads[Load.JOBS]


def test_mallory_has_only_so_many_validations_at_once(alice, model):
    filled(model)
    with pytest.raises(training.TooMuchAtOnce, match="validations: you have 5, .* may have 20"):
        training.validate_model(actor=alice, model=model, kind=Validation.Kind.ACCURACY, folds=2)
    Validation.objects.filter(status__in=Work.OPEN).update(status=Work.Status.FAILED)
    training.validate_model(actor=alice, model=model)


def test_one_that_waits_already_is_given_again_though_there_is_no_room(alice, model):
    first = training.validate_model(actor=alice, model=model)
    filled(model)
    assert training.validate_model(actor=alice, model=model) == first


def copies(model, count):
    """More models of the same person."""
    found = []
    for _ in range(count):
        (job,) = submit(model.owner, model.job.dataset)
        Job.objects.filter(pk=job.pk).update(status=Work.Status.CANCELLED)
        values = {
            field.name: getattr(model, field.name)
            for field in Model._meta.fields
            if field.name not in ("id", "family", "job")
        }
        found.append(Model.objects.create(job=job, **values))
    return found


def test_mallory_has_only_so_many_exports_at_once(alice, model):
    *full, last = copies(model, AT_ONCE[Load.EXPORTS] + 1)
    for one in full:
        training.export_model(actor=alice, model=one, kind=Export.Kind.ONNX)
    with pytest.raises(training.TooMuchAtOnce, match="exports: you have 5"):
        training.export_model(actor=alice, model=last, kind=Export.Kind.ONNX)
    assert training.export_model(actor=alice, model=full[0], kind=Export.Kind.ONNX).pk


def test_what_bob_has_made_of_alices_models_takes_his_places_and_none_of_hers(alice, bob, model):
    *full, last = copies(model, AT_ONCE[Load.EXPORTS] + 1)
    for one in full:
        training.order_export(actor=bob, model=one, kind=Export.Kind.WASM)
    assert training.rooms_of(alice.pk)[Load.EXPORTS].used == 0
    with pytest.raises(training.TooMuchAtOnce, match="exports: you have 5"):
        training.order_export(actor=bob, model=last, kind=Export.Kind.WASM)
    assert training.export_model(actor=alice, model=last, kind=Export.Kind.WASM).pk


def test_mallory_has_only_so_many_reproductions_at_once(alice, model):
    *full, last = copies(model, AT_ONCE[Load.REPRODUCTIONS] + 1)
    for one in full:
        training.reproduce_model(actor=alice, model=one)
    with pytest.raises(training.TooMuchAtOnce, match="reproductions: you have 3"):
        training.reproduce_model(actor=alice, model=last)
    assert Reproduction.objects.count() == len(full)


def test_the_page_says_how_much_is_left_and_then_that_there_is_no_more(alice, model):
    client = Client()
    client.force_login(alice)
    assert b"0 of at most 5 validations" in client.get(model.get_absolute_url()).content
    for left in (b"0 of at most 3 reproductions", b"0 of at most 5 exports"):
        assert left in client.get(model.get_absolute_url()).content
    assert b"0 of at most 20 queued jobs" in client.get("/jobs/new/").content
    filled(model)
    assert (
        b"all 5 validations that your plan allows at once"
        in client.get(model.get_absolute_url()).content
    )


@pytest.mark.parametrize("came", ["", "https://elsewhere.example/jobs/", "javascript:alert(1)"])
def test_who_is_refused_is_led_back_to_what_it_was_asked_of(client, alice, model, came):
    filled(model)
    client.force_login(alice)
    asked = {"kind": Validation.Kind.ACCURACY.value, "folds": "0"}
    address = f"/models/{model.pk}/validate/"
    page = client.post(address, asked, headers={"Referer": came})
    assert page.status_code == 409
    assert f'href="{model.get_absolute_url()}">Back' in page.content.decode()
    assert "elsewhere" not in page.content.decode()


def test_who_is_refused_is_led_back_to_the_page_it_was_asked_on(client, alice, model):
    filled(model)
    client.force_login(alice)
    came = {"Referer": "http://testserver/models/?page=2"}
    asked = {"kind": Validation.Kind.ACCURACY.value, "folds": "0"}
    page = client.post(f"/models/{model.pk}/validate/", asked, headers=came)
    assert 'href="http://testserver/models/?page=2">Back' in page.content.decode()
    address = f"/jobs/compare/?{'&'.join(f'job={one.job_id}' for one in copies(model, 7))}"
    again = {"Referer": f"http://testserver{address}"}
    assert 'href="/jobs/">Back' in client.get(address, headers=again).content.decode()


@pytest.mark.django_db(transaction=True)
def test_two_clicks_at_once_do_not_share_the_last_place(mallory, digits):
    submit(mallory, digits, AT_ONCE[Load.JOBS] - 1)
    refused = []

    def click():
        try:
            submit(mallory, digits)
        except training.TooMuchAtOnce as refusal:
            refused.append(refusal)
        finally:
            connection.close()

    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert (len(refused), Job.objects.count()) == (3, AT_ONCE[Load.JOBS])
