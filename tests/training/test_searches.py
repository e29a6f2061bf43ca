"""What a person may expect of a search for settings."""

import pytest
from django.db import OperationalError, transaction

from billing import services as billing
from governance.models import AuditEntry
from governance.services import NotAllowed
from tests.conftest import SMALL
from tests.training.outages import database_fails_at
from tests.training.searches import RATE, SHORT, WIDTH
from training import services as training
from training.models import Dataset, Job, Model, Search, Tier, Trial, Validation, Work
from training.runner import chunks, datasets, leases, searches, spaces, sweeps, trials


def run(search, steps=100):
    """Workers do what is to be done, one thing after the other, at most so many steps."""
    for _ in range(steps):
        searches.advance_search(str(search.pk))
        search.refresh_from_db()
        if search.is_over:
            return search
        chunks.run_turn()
    return search


def told(search):
    return [(trial.params, trial.value) for trial in search.trials.all()]


def test_alice_searches_and_the_best_trial_is_known(asked, alice):
    before = billing.available_microcredits(alice)
    search = run(training.start_search(**asked))
    assert (search.status, search.error_message) == (Work.Status.DONE, "")
    found = list(search.trials.all())
    assert [trial.state for trial in found] == [Trial.State.TOLD] * 4
    assert [trial.value for trial in found] == [
        trial.job.points.last().validation_loss for trial in found
    ]
    assert trials.contest_of(search).best.value == min(trial.value for trial in found)
    for trial in found:
        assert trial.job.config["training"]["learning_rate"] == trial.params[RATE]
        assert (
            trial.job.config["architecture"]["layers"][1]["params"]["size"] == trial.params[WIDTH]
        )
        assert 0.0001 <= trial.params[RATE] <= 0.1
    spent = sum(trial.job.cost_microcredits for trial in found)
    assert billing.available_microcredits(alice) == before - spent
    assert billing.ledger_faults() == []
    assert AuditEntry.objects.get(verb="finish_search").subject_id == str(search.pk)


@pytest.mark.parametrize("sampler", list(Search.Sampler))
def test_a_search_with_the_same_seed_is_the_same_search(asked, sampler):
    asked |= {"sampler": sampler, "trials_max": 6}
    first, second = (run(training.start_search(**asked)) for _ in range(2))
    assert told(first) == told(second)
    other = run(training.start_search(**asked | {"seed": 6}))
    assert told(other) != told(first)


def test_the_estimator_learns_where_random_does_not(asked):
    """TPE's later trials are better than its first, which are random."""
    space = {RATE: {"low": 1e-5, "high": 0.1, "log": True}}
    asked |= {"space": space, "sampler": Search.Sampler.TPE, "trials_max": 16}
    values = [value for _, value in told(run(training.start_search(**asked)))]
    assert sum(values[-5:]) < sum(values[:5])


def test_halving_promotes_the_best_third_to_three_times_the_epochs(asked):
    asked |= {"sampler": Search.Sampler.HALVING, "trials_max": 13}
    config = SMALL | {"training": SMALL["training"] | {"epochs": 9}}
    search = run(training.start_search(**asked | {"config": config}))
    found = list(search.trials.all())
    assert [trial.params[spaces.EPOCHS] for trial in found] == [1] * 9 + [3] * 3 + [9]
    assert [trial.job.epochs for trial in found] == [1] * 9 + [3] * 3 + [9]
    best = sorted(found[:9], key=lambda trial: trial.value)[:3]
    assert [trial.params[WIDTH] for trial in found[9:12]] == [trial.params[WIDTH] for trial in best]
    assert [trial.params[RATE] for trial in found[9:12]] == [trial.params[RATE] for trial in best]
    states = [trial.state for trial in found]
    assert states.count(Trial.State.PRUNED) == 6 + 2
    assert trials.contest_of(search).best == found[12]


@pytest.mark.parametrize(
    ("count", "epochs", "plan"),
    [
        (4, 3, [(3, 1), (1, 3)]),
        (4, 2, [(4, 2)]),
        (13, 9, [(9, 1), (3, 3), (1, 9)]),
        (12, 100, [(9, 33), (3, 100)]),
        (40, 27, [(27, 1), (9, 3), (3, 9), (1, 27)]),
    ],
)
def test_the_rungs_of_halving(count, epochs, plan):
    found = [(rung.size, rung.epochs) for rung in trials.rungs(trials=count, epochs=epochs)]
    assert found == plan
    assert sum(size for size, _ in found) <= count


def test_the_budget_is_never_passed(asked, alice):
    quote = training.quote_job(dataset=asked["dataset"], config=SHORT, tier=Tier.NANO)
    budget = 2 * quote.microcredits + quote.microcredits // 2
    before = billing.available_microcredits(alice)
    search = run(training.start_search(**asked | {"budget_microcredits": budget}))
    assert (search.status, search.error_code) == (Work.Status.DONE, "budget_reached")
    assert search.trials.count() == 2
    assert before - billing.available_microcredits(alice) <= budget
    assert "of the budget" in search.error_message


def test_an_empty_wallet_ends_a_search_and_keeps_what_was_found(asked, alice):
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    chunks.run_turn()
    billing.hold(
        owner=alice,
        amount_microcredits=billing.available_microcredits(alice),
        key="all of it",
        reason="spent elsewhere",
    )
    run(search)
    assert (search.status, search.error_code) == (Work.Status.DONE, "wallet_empty")
    assert search.trials.count() == 1


def test_a_trial_that_runs_is_waited_for_and_none_is_placed_beside_it(asked):
    search = training.start_search(**asked)
    for _ in range(3):
        searches.advance_search(str(search.pk))
    assert (search.trials.count(), Job.objects.count()) == (1, 1)
    search.refresh_from_db()
    assert (search.status, search.lease_until) == (Work.Status.RUNNING, None)


def test_a_step_that_fails_leaves_no_trace_of_it(asked, alice):
    straight = told(run(training.start_search(**asked)))
    search = training.start_search(**asked)
    before = billing.available_microcredits(alice)
    jobs = Job.objects.count()
    # After the job and its hold.
    with database_fails_at("training_trial"), pytest.raises(OperationalError, match="disk is full"):
        searches.advance_search(str(search.pk))
    assert not search.trials.exists()
    assert Job.objects.count() == jobs
    assert billing.available_microcredits(alice) == before
    Search.objects.filter(pk=search.pk).update(lease_until=None)
    assert told(run(search)) == straight


def test_a_failed_trial_is_counted_and_the_search_goes_on(asked):
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    first = search.trials.get()
    training.cancel_job(actor=asked["owner"], job=first.job)
    run(search)
    first.refresh_from_db()
    assert (first.state, first.value) == (Trial.State.FAILED, None)
    assert search.status == Work.Status.DONE
    assert search.trials.filter(state=Trial.State.TOLD).count() == 3


def test_settings_that_fit_no_tier_are_a_failed_trial_that_costs_nothing(asked):
    asked |= {"space": {WIDTH: {"choices": [8, 4_000]}}, "trials_max": 5}
    search = run(training.start_search(**asked))
    by_width = {trial.params[WIDTH]: trial for trial in search.trials.all()}
    assert set(by_width) == {8, 4_000}, "choose a seed that draws both"
    assert (by_width[4_000].state, by_width[4_000].job) == (Trial.State.FAILED, None)
    assert by_width[8].state == Trial.State.TOLD


def test_a_search_without_any_value_has_failed(asked):
    search = training.start_search(**asked | {"trials_max": 1})
    searches.advance_search(str(search.pk))
    training.cancel_job(actor=asked["owner"], job=search.trials.get().job)
    run(search)
    assert (search.status, search.error_code) == (Work.Status.FAILED, "nothing_measured")


def test_alice_cancels_and_the_running_trial_ends_with_its_money(asked, alice):
    before = billing.available_microcredits(alice)
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    training.cancel_search(actor=alice, search=search)
    job = search.trials.get().job
    assert (job.status, search.trials.get().state) == (Work.Status.CANCELLED, Trial.State.FAILED)
    assert billing.available_microcredits(alice) == before
    searches.advance_search(str(search.pk))
    search.refresh_from_db()
    assert (search.status, search.trials.count()) == (Work.Status.CANCELLED, 1)
    with pytest.raises(training.SearchIsOver):
        training.cancel_search(actor=alice, search=search)


def test_nothing_is_written_of_a_trial_once_its_search_is_cancelled(asked, alice):
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    chunks.run_turn()
    (trial,) = trials.contest_of(search).trials  # as a worker saw it just before
    Search.objects.filter(pk=search.pk).update(status=Work.Status.CANCELLED)
    trials.measure(search, trial)
    trial.refresh_from_db()
    assert (trial.state, trial.value) == (Trial.State.ASKED, None)


def test_a_trial_that_was_done_when_alice_cancelled_keeps_its_value(asked, alice):
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    chunks.run_turn()
    training.cancel_search(actor=alice, search=search)
    trial = search.trials.get()
    assert trial.job.status == Work.Status.DONE
    assert trial.state == Trial.State.TOLD
    assert trial.value == trial.job.points.last().validation_loss


def test_the_end_of_a_trial_wakes_its_search(
    asked, monkeypatch, django_capture_on_commit_callbacks
):
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    sent = []
    monkeypatch.setattr(
        "celery.current_app.send_task", lambda name, kwargs: sent.append((name, kwargs))
    )
    with django_capture_on_commit_callbacks(execute=True):
        chunks.run_turn()
    assert ("training.tasks.advance_search", {"search_id": str(search.pk)}) in sent


def test_a_search_that_alice_does_not_name_is_named_after_her_data_however_long_their_name(asked):
    dataset = asked["dataset"]
    dataset.name = "d" * 120
    dataset.save()
    assert training.start_search(**asked | {"name": ""}).name == f"{'d' * 112}, search"


def test_a_person_has_three_searches_at_most(asked):
    for _ in range(3):
        training.start_search(**asked)
    with pytest.raises(training.TooManySearches):
        training.start_search(**asked)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"space": {}}, "space"),
        ({"space": []}, "space"),
        ({"space": {"speed": {"low": 1, "high": 2}}}, "space.speed"),
        ({"space": {"training": {"low": 1, "high": 2}}}, "space.training"),
        ({"space": {RATE: 3}}, f"space.{RATE}"),
        ({"space": {RATE: {"low": 1}}}, f"space.{RATE}"),
        ({"space": {RATE: {"low": 2, "high": 1}}}, f"space.{RATE}"),
        ({"space": {RATE: {"low": 0, "high": 1, "log": True}}}, f"space.{RATE}"),
        ({"space": {RATE: {"low": 0.1, "high": float("nan")}}}, f"space.{RATE}"),
        ({"space": {RATE: {"low": 0.1, "high": 1, "depth": 2}}}, f"space.{RATE}"),
        ({"space": {RATE: {"low": 0.1, "high": 99.0}}}, f"space.{RATE}"),
        ({"space": {RATE: {"choices": [0.1]}}}, f"space.{RATE}"),
        ({"space": {RATE: {"choices": [0.1, 0.1]}}}, f"space.{RATE}"),
        ({"space": {RATE: {"choices": [0.1, {}]}}}, f"space.{RATE}"),
        ({"space": {RATE: {"choices": [0.1, 0.2], "low": 1}}}, f"space.{RATE}"),
        (
            {"space": {"architecture.layers.9.units": {"choices": [1, 2]}}},
            "space.architecture.layers.9.units",
        ),
        ({"space": {"training.wings": {"choices": [1, 2]}}}, "space.training.wings"),
        ({"trials_max": 0}, "trials_max"),
        ({"trials_max": 201}, "trials_max"),
        ({"trials_max": 3, "sampler": Search.Sampler.HALVING}, "trials_max"),
        (
            {
                "sampler": Search.Sampler.HALVING,
                "space": {"training.epochs": {"low": 1, "high": 3}},
            },
            "space.training.epochs",
        ),
        ({"budget_microcredits": 1}, "budget"),
        ({"seed": -1}, "seed"),
        ({"name": "a\nb"}, "name"),
    ],
)
def test_what_cannot_be_searched_is_refused_by_path(asked, change, field):
    with pytest.raises(training.InvalidSearch) as refusal, transaction.atomic():
        training.start_search(**asked | change)
    assert [entry["field"] for entry in refusal.value.invalid_parameters] == [field]
    assert field in str(refusal.value)
    assert not Search.objects.exists()


def test_nobody_searches_on_rows_of_somebody_else(asked, bob):
    Dataset.objects.update(owner=bob)
    asked["dataset"].refresh_from_db()
    with pytest.raises(NotAllowed, match="not yours"), transaction.atomic():
        training.start_search(**asked)


def test_ranges_around_a_configuration_are_proposed_and_can_be_searched(asked):
    space = spaces.proposed(SHORT)
    assert space == {
        RATE: {"low": 0.0003, "high": 0.03, "log": True},
        "training.batch_size": {"choices": [16, 32, 64]},
        WIDTH: {"choices": [16, 32, 64]},
    }
    training.start_search(**asked | {"space": space})


def test_a_search_that_kills_its_workers_ends_with_the_trial_it_placed(asked, alice):
    before = billing.available_microcredits(alice)
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    Search.objects.update(lost_leases=leases.LOST_LEASES_MAX - 1)
    assert leases.claim(Search, str(search.pk)) is not None
    Search.objects.update(lease_until="2000-01-01T00:00:00Z")
    sweeps.release_stalled()
    search.refresh_from_db()
    trial = search.trials.get()
    assert (search.status, trial.state) == (Work.Status.QUARANTINED, Trial.State.FAILED)
    assert trial.job.status == Work.Status.CANCELLED
    assert billing.available_microcredits(alice) == before
    assert AuditEntry.objects.get(verb="quarantine_search").subject_id == str(search.pk)


def test_a_trial_that_was_done_when_its_search_was_taken_out_keeps_its_value(asked):
    search = training.start_search(**asked)
    searches.advance_search(str(search.pk))
    chunks.run_turn()
    Search.objects.update(lost_leases=leases.LOST_LEASES_MAX - 1, lease_until="2000-01-01T00:00Z")
    sweeps.release_stalled()
    search.refresh_from_db()
    trial = search.trials.get()
    assert (search.status, trial.state) == (Work.Status.QUARANTINED, Trial.State.TOLD)
    assert trial.value == trial.job.points.last().validation_loss


# What trials are judged by, and what becomes of them


@pytest.mark.parametrize("objective", list(Search.Objective))
def test_trials_that_no_row_can_judge_are_refused_before_they_cost(asked, objective):
    Dataset.objects.update(validation_rows=0)
    asked["dataset"].refresh_from_db()
    with pytest.raises(training.InvalidSearch, match=r"give split\.validation a share"):
        training.start_search(**asked | {"objective": objective})


def test_trials_that_play_are_compared_by_their_episodes_and_not_by_a_loss(asked):
    poles = training.add_bundled_dataset(slug="cartpole")
    datasets.prepare_dataset(str(poles.pk))
    poles.refresh_from_db()
    asked |= {"dataset": poles, "config": training.PRESETS["cartpole"]}
    asked |= {"space": {RATE: {"low": 0.001, "high": 0.01}}, "budget_microcredits": 90_000_000}
    with pytest.raises(training.InvalidSearch, match="take validation_metric"):
        training.start_search(**asked)
    training.start_search(**asked | {"objective": Search.Objective.METRIC})


def test_only_the_best_trial_is_measured_and_listed_among_alices_models(asked, alice):
    search = run(training.start_search(**asked))
    best = trials.contest_of(search).best
    assert list(Model.objects.of(alice).listed()) == [best.job.model]
    assert Validation.objects.get().model == best.job.model
    other = search.trials.exclude(pk=best.pk).first().job.model
    training.validate_model(actor=alice, model=other)  # whoever wants to know more asks
    assert other in Model.objects.of(alice).listed()
