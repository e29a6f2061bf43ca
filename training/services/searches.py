"""Searches for settings: start one, cancel it, and read how it stands."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from billing import services as billing
from billing.models import MICROCREDITS
from governance import services as governance
from governance.models import User
from governance.services import Refusal
from kernels import config as kernel_config
from training.models import Dataset, Job, Search, Tier, Trial, Work
from training.runner import spaces, trials
from training.runner.environments import is_environment
from training.runner.hints import hint
from training.runner.metrics import Metric, metric_of
from training.runner.placing import SEED_MAX, keep_dataset, suffixed
from training.runner.quotes import quote_job
from training.services.jobs import JobIsOver, cancel_job

TRIALS_MAX = 200
TRIALS_PROPOSED = 12
OPEN_SEARCHES_MAX = 3
HALVING_TRIALS_MIN = trials.total(1)


class InvalidSearch(Refusal):
    """The space, the number of trials or the budget makes no sense; each entry names its path."""

    status = 422


class TooManySearches(Refusal):
    """So many of a person's searches run already."""


class SearchIsOver(Refusal):
    """It ended meanwhile; there is nothing to cancel."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """So many trials of so many epochs, each of which costs at most so much with the settings that
    the search goes out from.
    """

    size: int
    epochs: int
    each_microcredits: int

    @property
    def microcredits(self) -> int:
        return self.size * self.each_microcredits


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a search tries at most; one rung where all its trials train alike."""

    rungs: list[Rung]

    @property
    def trials(self) -> int:
        return sum(rung.size for rung in self.rungs)

    @property
    def microcredits(self) -> int:
        return sum(rung.microcredits for rung in self.rungs)

    @property
    def said(self) -> str:
        return f"{self.trials} trials, {billing.credits(self.microcredits)} credits at most."


def plan_search(
    *,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier,
    trials_max: int,
    sampler: Search.Sampler = Search.Sampler.TPE,
) -> Plan:
    """What a search would try and cost, before it starts; refused as `start_search` refuses it."""
    quote = quote_job(dataset=dataset, config=config, tier=tier)
    require_trials(trials_max, sampler, quote.epochs)
    planned = [trials.Rung(size=trials_max, epochs=quote.epochs)]
    if sampler == Search.Sampler.HALVING:
        planned = trials.rungs(trials=trials_max, epochs=quote.epochs)
    rungs = []
    for rung in planned:
        shorter = spaces.applied(config, {spaces.EPOCHS: rung.epochs})
        each = quote_job(dataset=dataset, config=shorter, tier=tier).microcredits
        rungs.append(Rung(size=rung.size, epochs=rung.epochs, each_microcredits=each))
    return Plan(rungs=rungs)


@transaction.atomic
def start_search(
    *,
    owner: User,
    dataset: Dataset,
    config: Mapping[str, Any],
    tier: Tier,
    space: object,
    trials_max: int,
    budget_microcredits: int,
    sampler: Search.Sampler = Search.Sampler.TPE,
    objective: Search.Objective = Search.Objective.LOSS,
    seed: int = 0,
    name: str = "",
) -> Search:
    """Queue a search. It costs what its trials cost, each held when it starts, and never more than
    the budget: it stops before the trial whose quote would pass it.
    """
    require_plain(name, seed)
    keep_dataset(owner=owner, dataset=dataset)
    quote = quote_job(dataset=dataset, config=config, tier=tier)
    require_space(dataset, config, space, sampler)
    require_trials(trials_max, sampler, quote.epochs)
    if quote.microcredits > budget_microcredits:
        raise invalid(
            "budget",
            f"one trial of this configuration costs up to {quote.credits} credits, so a budget of "
            f"{billing.credits(budget_microcredits)} pays for none; raise it or train less",
        )
    require_objective(dataset, objective)
    governance.take_turn(f"searches of {owner.pk}")
    if Search.objects.of(owner).filter(status__in=Work.OPEN).count() >= OPEN_SEARCHES_MAX:
        raise TooManySearches(
            f"You have {OPEN_SEARCHES_MAX} searches running; wait for one or cancel it."
        )
    search = Search.objects.create(
        owner=owner,
        dataset=dataset,
        name=name or suffixed(dataset.name, ", search"),
        config=dict(config),
        space=space,
        sampler=sampler,
        objective=objective,
        tier=tier,
        seed=seed,
        trials_max=trials_max,
        budget_microcredits=budget_microcredits,
        request_id=governance.request_id(),
    )
    details = {"budget": budget_microcredits, "trials_max": trials_max, "sampler": sampler}
    governance.record(actor=owner, verb="start_search", subject=search, details=details)
    hint("training.tasks.advance_search", search_id=str(search.pk))
    return search


def invalid(field: str, reason: str) -> InvalidSearch:
    return InvalidSearch(
        f"{field}: {reason}.", invalid_parameters=[{"field": field, "reason": reason}]
    )


def require_plain(name: str, seed: int) -> None:
    if not name.isprintable():
        raise invalid("name", "must be text that people can see, in one line")
    if not 0 <= seed <= SEED_MAX:
        raise invalid("seed", f"{seed} is not between 0 and {SEED_MAX}")


def require_objective(dataset: Dataset, objective: Search.Objective) -> None:
    """Trials are compared by validation rows, or by episodes where rows are played."""
    if is_environment(dataset):
        if objective == Search.Objective.LOSS:
            raise invalid("objective", "episodes have no loss; take validation_metric")
    elif not dataset.validation_rows:
        raise invalid(
            "dataset",
            f"“{dataset.name}” has no validation rows to compare trials by; give split.validation "
            "a share in its schema",
        )


def require_trials(trials_max: int, sampler: Search.Sampler, epochs: int) -> None:
    is_halving = sampler == Search.Sampler.HALVING
    least = HALVING_TRIALS_MIN if is_halving else 1
    if not least <= trials_max <= TRIALS_MAX:
        raise invalid("trials_max", f"must be from {least} to {TRIALS_MAX}, not {trials_max}")
    if is_halving and epochs < trials.ETA:
        reason = f"halving begins with a third of the epochs, so it needs {trials.ETA} or more"
        raise invalid("training.epochs", reason)


def require_space(
    dataset: Dataset, config: Mapping[str, Any], space: object, sampler: Search.Sampler
) -> None:
    """Every setting leads somewhere, and the configuration is one at each of its ends."""
    try:
        dimensions = spaces.parse(space, config)
    except spaces.SpaceRefused as error:
        raise InvalidSearch(
            str(error),
            invalid_parameters=[
                {"field": problem.path, "reason": problem.reason} for problem in error.problems
            ],
        ) from error
    for dimension in dimensions:
        if sampler == Search.Sampler.HALVING and dimension.path == spaces.EPOCHS:
            raise invalid(
                f"space.{dimension.path}", "halving itself says how many epochs; leave it"
            )
        for value in dimension.ends:
            try:
                kernel_config.parse(
                    spaces.applied(config, {dimension.path: value}), dataset.data_shape
                )
            except kernel_config.ConfigError as error:
                reason = f"with {json.dumps(value)} the configuration is none: {error.problems[0]}"
                raise invalid(f"space.{dimension.path}", reason) from error


@transaction.atomic
def cancel_search(*, actor: User, search: Search) -> Search:
    """Stop a search and the trial that runs; measured trials, and their models, stay."""
    held = Search.objects.of(actor).filter(pk=search.pk, status__in=Work.OPEN).select_for_update()
    if held.first() is None:
        raise SearchIsOver("This search is already over; there is nothing to cancel.")
    for trial in search.trials.filter(state=Trial.State.ASKED).select_related("job"):
        trials.measure(search, trial)  # if it ended a moment ago, by itself
        if trial.job is not None and trial.state == Trial.State.ASKED:
            with suppress(JobIsOver):
                cancel_job(actor=actor, job=trial.job)
    search.trials.filter(state=Trial.State.ASKED).update(state=Trial.State.FAILED)
    held.update(status=Work.Status.CANCELLED, lease_until=None, finished_at=Now())
    search.refresh_from_db()
    governance.record(actor=actor, verb="cancel_search", subject=search)
    return search


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How a search stands. `version` changes when anything of it does."""

    version: str
    contest: trials.Contest
    metric: Metric
    paths: list[str]

    @property
    def best_label(self) -> str:
        return f"Best {self.metric.label.lower()}"

    @property
    def axis_label(self) -> str:
        return "lower is better" if self.contest.is_low_good else "higher is better"

    @property
    def is_log(self) -> bool:
        """Whether the values lie so far apart that a logarithmic axis shows more of them."""
        return self.contest.is_wide

    @property
    def spent(self) -> int:
        return self.contest.spent_microcredits


def search_standing(*, search: Search, seen: str = "") -> Standing | None:
    """How a search stands, or None when `seen` is still its version."""
    contest = trials.contest_of(search)
    states = "".join(trial.state[0] for trial in contest.trials)
    version = f"{search.status}-{contest.spent_microcredits}-{states}"
    if version == seen:
        return None
    jobs = [trial.job for trial in contest.trials if trial.job is not None]
    name = jobs[0].metric if jobs else "metric"
    is_loss = search.objective == Search.Objective.LOSS
    metric = metric_of("validation_loss") if is_loss else metric_of(name)
    paths = sorted({path for trial in contest.trials for path in trial.params} | set(search.space))
    return Standing(version=version, contest=contest, metric=metric, paths=paths)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A search to start from, in the words of `start_search`."""

    name: str
    space: dict[str, Any]
    trials_max: int
    budget_microcredits: int
    seed: int


def propose_search(*, job: Job) -> Proposal:
    """Ranges around what a job says, and a budget of whole credits with room for trials that cost
    more than it.
    """
    microcredits = job.quote_microcredits * TRIALS_PROPOSED * 3 // 2
    return Proposal(
        name=suffixed(job.name, ", search"),
        space=spaces.proposed(job.config),
        trials_max=TRIALS_PROPOSED,
        budget_microcredits=-(-microcredits // MICROCREDITS) * MICROCREDITS,
        seed=job.seed,
    )
