"""One step of a search: write down what the last trial came to, and place the next one.

    queued ──▶ running: a trial is placed ──▶ it is over: the next one ──▶ done
                                     └── cancelled (a person's wish)

A search is between two steps as a job is between two chunks: running, and held by nobody. The end
of a trial's job wakes it, and the sweep where that hint was lost. Trials are ordinary jobs, one at
a time, and one transaction writes the trial, its job and its hold: wherever a worker dies, no trial
is placed or paid twice.

Optuna keeps nothing between steps. Its study is made anew from the trials' rows each time, with a
sampler whose seed follows from the search's and the trial's number, so a search with the same seed
asks the same questions, whoever asks them and however often it was interrupted.
"""

import hashlib
import math
from typing import Any

import optuna
from django.db import transaction
from django.db.models.functions import Now
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from billing import services as billing
from governance import services as governance
from governance.services import Refusal
from training.models import Search, Tier, Trial, Work
from training.runner import leases, notices, spaces, trials
from training.runner.hints import hint
from training.runner.placing import place_job, place_validation, suffixed
from training.runner.quotes import quote_job
from training.runner.spaces import EPOCHS, Dimension
from training.runner.trials import Contest

STARTUP_TRIALS = 10  # so many at random before the estimator has something to go by

optuna.logging.set_verbosity(optuna.logging.WARNING)


class Ended(Exception):
    """The search is over; the code is empty where all its trials were done."""

    def __init__(self, code: str = "", message: str = "") -> None:
        super().__init__(message)
        self.code = code


def advance_search(search_id: str) -> None:
    """Do one step of this search, if it is to be had."""
    leases.do(Search, search_id, step, on_poison=trials.bury)


@transaction.atomic
def step(search: Search) -> None:
    """Where the search is cancelled, or another's by now, what was placed is rolled back."""
    leases.renew(search)  # the fence: from here to the commit nobody else changes the row
    contest = trials.contest_of(search)
    for trial in contest.trials:
        trials.measure(search, trial)
    try:
        while not any(trial.state == Trial.State.ASKED for trial in contest.trials):
            place_next(search, contest)
            contest = trials.contest_of(search)
    except Ended as end:
        finish(search, contest, end)
    else:
        leases.write(search, lease_until=None, lost_leases=0)


def finish(search: Search, contest: Contest, end: Ended) -> None:
    best = contest.best
    leases.write(
        search,
        status=Work.Status.DONE if best else Work.Status.FAILED,
        lease_until=None,
        finished_at=Now(),
        error_code=end.code or ("" if best else "nothing_measured"),
        error_message=str(end) or ("" if best else "No trial came to a value."),
    )
    details = {"trials": len(contest.trials), "best": best and best.number}
    governance.record(actor=None, verb="finish_search", subject=search, details=details)
    notices.tell_searched(search, best=best)
    if best is not None and best.job is not None:
        place_validation(best.job.model)  # the others are measured where somebody asks for it


def place_next(search: Search, contest: Contest) -> None:
    """Ask what is to be tried next, and queue it. Raises Ended.

    Settings that make no job are a failed trial, which the sampler learns from.
    """
    params = next_params(search, contest)
    number = len(contest.trials)
    trial = Trial(search=search, number=number, params=params)
    try:
        quote = quote_job(
            dataset=search.dataset,
            config=spaces.applied(search.config, params),
            tier=Tier(search.tier),
        )
    except Refusal:
        trial.state = Trial.State.FAILED
        trial.save()
        return
    left = search.budget_microcredits - contest.spent_microcredits
    if quote.microcredits > left:
        raise Ended(
            "budget_reached",
            f"Trial {number + 1} would cost up to {quote.credits} credits, and of the budget "
            f"{billing.credits(left)} are left.",
        )
    try:
        with transaction.atomic():
            trial.job = place_job(
                owner=search.owner,
                dataset=search.dataset,
                quote=quote,
                seed=search.seed,
                name=suffixed(search.name, f", trial {number + 1}"),
                steps=quote.steps,
                is_trial=True,
            )
    except billing.InsufficientCredits as refusal:
        raise Ended("wallet_empty", str(refusal)) from refusal
    trial.save()
    hint("training.tasks.run_job", job_id=str(trial.job.pk))


def next_params(search: Search, contest: Contest) -> dict[str, Any]:
    """The settings of the next trial. Raises Ended where there is none."""
    if not contest.is_halving:
        if len(contest.trials) >= search.trials_max:
            raise Ended
        return ask(search, contest)
    epochs = int(search.config["training"]["epochs"])
    plan = trials.rungs(trials=search.trials_max, epochs=epochs)
    following = trials.next_in_halving(contest, plan)
    if following is None:
        raise Ended
    for trial in following.pruned:
        Trial.objects.filter(pk=trial.pk).update(state=Trial.State.PRUNED)
    params = following.promoted or ask(search, contest)
    return params | {EPOCHS: following.epochs}


def ask(search: Search, contest: Contest) -> dict[str, Any]:
    """What Optuna proposes after these trials."""
    dimensions = spaces.parse(search.space, search.config)
    distributions = {dimension.path: distribution(dimension) for dimension in dimensions}
    study = optuna.create_study(
        sampler=sampler(search, len(contest.trials)),
        direction="minimize" if contest.is_low_good else "maximize",
    )
    for trial in contest.trials:
        study.add_trial(
            create_trial(
                state=TrialState.FAIL if trial.value is None else TrialState.COMPLETE,
                value=trial.value,
                params={path: trial.params[path] for path in distributions},
                distributions=distributions,
            )
        )
    return study.ask(distributions).params


def sampler(search: Search, number: int) -> BaseSampler:
    digest = hashlib.sha256(f"{search.seed}/{number}".encode()).digest()
    seed = int.from_bytes(digest[:4], "big")
    if search.sampler == Search.Sampler.TPE:
        startup = min(STARTUP_TRIALS, max(2, search.trials_max // 3))
        return TPESampler(seed=seed, n_startup_trials=startup)
    return RandomSampler(seed=seed)


def distribution(dimension: Dimension) -> BaseDistribution:
    if dimension.choices:
        return CategoricalDistribution(dimension.choices)
    low, high, step = dimension.low, dimension.high, dimension.step
    if step:  # the highest value that steps from the low end reach
        high = low + math.floor((high - low) / step * (1 + 1e-12)) * step
    if dimension.is_whole:
        return IntDistribution(int(low), int(high), log=dimension.is_log, step=int(step or 1))
    return FloatDistribution(low, high, log=dimension.is_log, step=step)
