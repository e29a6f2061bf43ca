"""The pages and the API of searches for settings."""

import json

import pytest

from billing import services as billing
from tests.training.searches import RATE, SHORT, SPACE
from tests.training.test_pages import text
from tests.training.test_searches import run
from training import services as training
from training.models import Job, Model, Search, Trial, Work
from training.runner import searches, trials
from training.templatetags import parallel

FORM = {
    "name": "Mine",
    "space": json.dumps(SPACE),
    "sampler": "random",
    "objective": "validation_loss",
    "trials_max": "3",
    "budget": "20",
    "seed": "1",
}


def test_alice_starts_a_search_from_her_job_and_follows_it(client, alice, job):
    client.force_login(alice)
    assert "Nothing searched yet" in text(client.get("/searches/"))
    asked_for = text(client.get(f"/jobs/{job.pk}/search/"))
    assert "training.learning_rate" in asked_for
    client.post(f"/jobs/{job.pk}/search/", FORM)
    search = Search.objects.get()
    assert (search.config, search.budget_microcredits) == (job.config, 20_000_000)
    where = search.get_absolute_url()
    waiting = text(client.get(where))
    assert "Queued" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    searches.advance_search(str(search.pk))
    search.refresh_from_db()
    seen = training.search_standing(search=search).version
    htmx = {"HX-Request": "true"}
    assert client.get(where, {"seen": seen}, headers=htmx).status_code == 204
    run(search)
    page = text(client.get(where, {"seen": seen}, headers=htmx))
    assert "<html" not in page
    assert "hx-trigger" not in page
    best = trials.contest_of(search).best
    assert Model.objects.get(job=best.job).get_absolute_url() in page
    assert page.count('<polyline class="line best"') == 1
    assert page.count("<polyline class=") == 3 + 2
    assert "Compare the best 3" in page
    assert "Mine" in text(client.get("/searches/"))


def test_the_job_of_the_best_trial_says_so(client, alice, asked):
    search = run(training.start_search(**asked))
    client.force_login(alice)
    best = trials.contest_of(search).best
    for trial in search.trials.all():
        page = text(client.get(trial.job.get_absolute_url()))
        assert search.name in page
        assert ("Best of its search" in page) == (trial == best)


@pytest.mark.parametrize("given", [{"choices": [True, "a", 3]}, {"low": 1, "high": 3}])
def test_settings_of_every_kind_have_a_place_in_the_picture(asked, given):
    search = training.start_search(**asked)
    for number, value in enumerate([3, 3] if "low" in given else [True, "a", 3]):
        Trial.objects.create(
            search=search, number=number, params={"x.y": value}, value=1.0, state="told"
        )
    drawn = parallel.parallel_coordinates(
        trials.contest_of(search), ["x.y"], {"x.y": given}, "Loss", "id"
    )
    assert [axis.name for axis in drawn["axes"]] == ["y", "Loss"]
    places = [
        float(pair.split(",")[1]) for line in drawn["lines"] for pair in line["points"].split()
    ]
    assert all(0 <= place <= drawn["height"] for place in places)


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"space": "{"}, "space", "this must be JSON"),
        ({"space": "[" * 100_000}, "space", "nested too deeply"),
        ({"space": "1" * 5_000}, "space", "4300 digits"),
        ({"space": '{"training.wings": {"choices": [1, 2]}}'}, "space", "training.wings"),
        ({"trials_max": "0"}, "trials_max", "0 is too small: it must be 1 or more"),
        ({"trials_max": "3", "sampler": "halving"}, "trials_max", "must be from 4"),
        ({"budget": "0.5"}, "budget", "pays for none"),
        ({"budget": "0.0000001"}, "budget", "A budget is at least 0.000001 credits"),
        ({"budget": "1e400"}, "budget", ""),
        ({"seed": "-1"}, "seed", ""),
        ({"name": "a\x00b"}, "name", ""),
    ],
)
def test_what_is_wrong_is_shown_at_its_field_and_kept(client, alice, job, change, field, reason):
    client.force_login(alice)
    page = client.post(f"/jobs/{job.pk}/search/", FORM | change)
    assert page.status_code == 200
    assert list(page.context["form"].errors) == [field]
    assert reason in str(page.context["form"].errors[field])
    assert not Search.objects.exists()


def test_alice_cancels_a_search_from_its_page(client, alice, asked):
    search = training.start_search(**asked)
    client.force_login(alice)
    client.post(f"/searches/{search.pk}/cancel/")
    search.refresh_from_db()
    assert search.status == Work.Status.CANCELLED
    assert client.post(f"/searches/{search.pk}/cancel/").status_code == 409


def test_mallory_sees_no_search_of_alice(client, mallory, asked, job):
    search = training.start_search(**asked)
    client.force_login(mallory)
    assert client.get(search.get_absolute_url()).status_code == 404
    assert client.post(f"/searches/{search.pk}/cancel/").status_code == 404
    assert client.get(f"/jobs/{job.pk}/search/").status_code == 404
    assert client.get(f"/api/v1/searches/{search.pk}").status_code == 404


def test_a_program_searches_through_the_api(client, alice, digits):
    client.force_login(alice)
    body = {"config": SHORT, "space": SPACE, "trials_max": 2, "budget": "10", "sampler": "random"}
    sent = {"content_type": "application/json", "headers": {"Idempotency-Key": "one"}}
    first = client.post("/api/v1/searches", body, **sent)
    again = client.post("/api/v1/searches", body, **sent)
    assert first.status_code == 202
    assert first.json() == again.json()
    search = Search.objects.get()
    assert first["Location"] == f"/api/v1/searches/{search.pk}"
    run(search)
    found = client.get(first["Location"]).json()
    assert (found["status"], len(found["trials"])) == ("done", 2)
    assert found["best"]["value"] == min(trial["value"] for trial in found["trials"])
    assert client.get("/api/v1/searches").json()["count"] == 1
    wrong = client.post("/api/v1/searches", body | {"space": {}}, content_type="application/json")
    assert wrong.status_code == 422
    assert wrong.json()["invalid_parameters"][0]["field"] == "space"
    assert client.delete(first["Location"]).status_code == 409


def test_alices_program_is_proposed_the_search_that_her_page_proposes(client, alice, bob, job):
    client.force_login(alice)
    proposal = client.get(f"/api/v1/training-jobs/{job.pk}/search").json()
    page = client.get(f"/jobs/{job.pk}/search/")
    shown = page.context["form"].data
    assert json.loads(shown["space"]) == proposal["space"]
    assert (shown["name"], str(shown["budget"])) == (proposal["name"], proposal["budget"])
    started = client.post("/api/v1/searches", proposal, content_type="application/json")
    assert started.status_code == 202, started.content
    assert Search.objects.get().space == proposal["space"]
    client.force_login(bob)
    assert client.get(f"/api/v1/training-jobs/{job.pk}/search").status_code == 404


def test_alice_reads_what_halving_tries_and_costs_before_it_starts(client, alice, job):
    """And it is what the search then holds, where its settings change no price."""
    client.force_login(alice)
    here = f"/jobs/{job.pk}/search/"
    typed = FORM | {
        "sampler": "halving",
        "trials_max": "13",
        "space": json.dumps({RATE: SPACE[RATE]}),
    }
    checked = client.post(here, typed | {"action": "check"})
    typing = client.post(here, typed, headers={"HX-Request": "true"})
    assert not Search.objects.exists()
    assert checked.context["form"]["trials_max"].value() == "13"
    plan = checked.context["plan"]
    assert [(rung.size, rung.epochs) for rung in plan.rungs] == [(9, 1), (3, 4), (1, 12)]
    said = f"{billing.credits(plan.microcredits)} <small>credits at most"
    assert said in text(checked)
    assert said in text(typing)
    assert "<html" not in text(typing)
    assert f"13 trials, {billing.credits(plan.microcredits)} credits at most." in text(typing)
    client.post(here, typed | {"budget": "40"})
    search = run(Search.objects.get())
    placed = Job.objects.filter(trial__search=search)
    assert placed.count() == plan.trials
    assert sum(each.quote_microcredits for each in placed) == plan.microcredits


def test_alice_is_told_why_nothing_can_be_said_of_the_cost_and_when_her_budget_is_short(
    client, alice, job
):
    client.force_login(alice)
    here, htmx = f"/jobs/{job.pk}/search/", {"HX-Request": "true"}
    for change, said in (
        ({"trials_max": "many"}, "Trials at most: Enter a whole number."),
        (
            {"trials_max": "3", "sampler": "halving"},
            "Trials at most: must be from 4 to 200, not 3.",
        ),
        ({"budget": "2"}, "The budget of 2 credits may not pay for all of them"),
    ):
        assert said in text(client.post(here, FORM | change, headers=htmx))
    assert "may not pay" not in text(client.get(here))
