"""The pages of data, jobs and models, as people use them."""

import json

import pytest
from django.urls import reverse

from marketplace import services as marketplace
from tests.conftest import SMALL
from training import services as training
from training.models import Event, Job, Work
from training.runner import chunks


def text(response) -> str:
    return response.content.decode()


@pytest.fixture
def form(digits) -> dict[str, str]:
    return {
        "name": "Mine",
        "dataset": digits.slug,
        "tier": "nano",
        "seed": "5",
        "config": json.dumps(SMALL),
        "action": "start",
    }


def test_the_dataset_page_shows_digits_as_pictures(client, digits):
    page = text(client.get(digits.get_absolute_url()))
    assert page.count('class="pixels"') == 40
    assert 'aria-label="Row 0"' in page
    assert '<span class="unseen">labelled </span>0</span>' in page
    assert digits.sha256 in page
    assert "Class balance" in page


def test_a_dataset_that_is_being_prepared_says_so(client, db):
    from_form = client.get("/datasets/")
    assert "No data yet" in text(from_form)


def test_alice_starts_a_job_and_follows_it_to_its_model(client, alice, form):
    client.force_login(alice)
    page = client.post(reverse("training:new_job"), form)
    job = Job.objects.get()
    assert page.url == job.get_absolute_url()
    waiting = text(client.get(job.get_absolute_url()))
    assert "Queued" in waiting
    assert 'hx-trigger="sse:change, every 1s"' in waiting
    chunks.run_turn()
    done = text(client.get(job.get_absolute_url(), headers={"HX-Request": "true"}))
    assert "Done" in done
    assert "Look at the model" in done
    assert "hx-trigger" not in done
    assert "<html" not in done
    assert done.count("<svg") >= 2
    model = text(client.get(job.model.get_absolute_url()))
    assert "A worker is measuring" in model


def test_alice_cancels_from_the_page(client, alice, job):
    client.force_login(alice)
    page = client.post(reverse("training:cancel_job", args=[job.pk]), follow=True)
    assert "cancelled" in text(page)
    job.refresh_from_db()
    assert job.status == Work.Status.CANCELLED
    again = client.post(reverse("training:cancel_job", args=[job.pk]))
    assert again.status_code == 409
    assert "already over" in text(again)


def test_a_model_page_shows_what_was_measured(client, alice, model):
    client.force_login(alice)
    page = text(client.get(model.get_absolute_url()))
    assert "Confusion matrix" in page
    assert "Latency of one prediction" in page
    assert model.weights_sha256 in page


@pytest.mark.parametrize("name", ["jobs", "new_job", "models"])
def test_a_visitor_is_asked_to_sign_in(client, db, name):
    assert client.get(reverse(f"training:{name}")).url.startswith("/account/login/")


def test_alice_who_was_signed_out_comes_back_to_the_page_and_to_nothing_done(client, alice, model):
    job = model.job
    acts = {
        "retrain_job": job,
        "cancel_job": job,
        "run_baseline": job,
        "validate_model": model,
        "reproduce_model": model,
        "export_model": model,
    }
    done = Event.objects.count()
    for name, page in acts.items():
        client.logout()
        asked = client.post(reverse(f"training:{name}", args=[page.pk]))
        who = {"login": "alice", "password": "a good password"}
        back = client.post(asked.url, who, follow=True)
        assert back.redirect_chain[-1][0] == "../", name
        assert (back.status_code, back.request["PATH_INFO"]) == (200, page.get_absolute_url())
        assert "Nothing was done yet. Press the button on this page again." in text(back)
    assert Event.objects.count() == done
    assert Job.objects.count() == model.validations.count() == 1


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_alice_who_was_signed_out_finds_what_she_composed_and_begins_it(
    client, alice, form, headers
):
    asked = client.post("/jobs/new/", form, headers=headers)
    where = asked.get("HX-Redirect") or asked["Location"]
    assert where == "/account/login/?next=/jobs/new/"
    client.post(where, {"login": "alice", "password": "a good password"})
    page = client.get("/jobs/new/")
    assert "What you composed is here again; nothing was begun yet." in text(page)
    assert not Job.objects.exists()
    kept = page.context["form"]
    assert [kept[name].value() for name in ("name", "seed")] == ["Mine", "5"]
    assert page.context["reading"].config["training"]["epochs"] == SMALL["training"]["epochs"]
    assert "is here again" not in text(client.get("/jobs/new/"))
    client.post("/jobs/new/", form)
    assert Job.objects.get().name == "Mine"


def test_bob_is_told_in_a_page_that_an_address_does_not_take_what_he_sent(client, bob):
    client.force_login(bob)
    page = client.post("/jobs/")
    assert (page.status_code, page["Allow"]) == (405, "GET")
    for said in ("This address does not take that", 'href="/jobs/">Open the page', "Sign out"):
        assert said in text(page), said


def test_lists_are_empty_with_a_way_on(client, alice, digits):
    client.force_login(alice)
    assert "Nothing trained yet" in text(client.get("/jobs/"))
    assert "No models yet" in text(client.get("/models/"))


def test_figures_stay_while_a_model_is_measured_again(client, alice, model):
    training.validate_model(actor=alice, model=model)
    client.force_login(alice)
    page = text(client.get(model.get_absolute_url()))
    assert "A worker is measuring" in page
    assert "Confusion matrix" in page
    slug = marketplace.start_template(owner=alice, model=model).slug
    assert "Measured on 270 test rows" in text(client.get(f"/templates/{slug}/draft/validate/"))
