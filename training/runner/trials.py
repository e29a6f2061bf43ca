"""The trials of a search: what they are compared by, which is the best, and how halving goes on.

Without Optuna, so that pages and services can ask it; `training.runner.searches` asks Optuna.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from governance import services as governance
from training.models import Search, Trial, Work
from training.runner.metrics import metric_of
from training.runner.placing import withdraw_job
from training.runner.spaces import EPOCHS

ETA = 3  # one of so many trials is promoted, to so many times the epochs
RUNGS_MAX = 4
WIDE = 20  # times; then a linear axis shows little but the worst


@dataclass(frozen=True, kw_only=True)
class Contest:
    """The trials so far, in their order, and which way is better."""

    trials: list[Trial]
    is_low_good: bool
    is_halving: bool

    def measured(self) -> list[Trial]:
        return [trial for trial in self.trials if trial.value is not None]

    def rank(self, trial: Trial) -> tuple[float, int]:
        """The smaller, the better; the earlier of equals."""
        assert trial.value is not None
        return trial.value if self.is_low_good else -trial.value, trial.number

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        return sorted((trial for trial in trials if trial.value is not None), key=self.rank)

    def epochs(self, trial: Trial) -> int:
        """How long a trial of a halving search trains; 0 where all train alike."""
        return int(trial.params[EPOCHS]) if self.is_halving else 0

    @property
    def by_rank(self) -> list[Trial]:
        """The best first. Those trained for longer stand before others: fewer epochs are no fair
        comparison.
        """
        return sorted(self.measured(), key=lambda trial: (-self.epochs(trial), self.rank(trial)))

    @property
    def best(self) -> Trial | None:
        return next(iter(self.by_rank), None)

    @property
    def best_so_far(self) -> list[tuple[int, float]]:
        """The curve of a search: after each trial (counted from 1), the best value until then."""
        curve: list[tuple[int, float]] = []
        for trial in self.measured():
            value = float(trial.value or 0.0)
            before = curve[-1][1] if curve else value
            better = min(before, value) if self.is_low_good else max(before, value)
            curve.append((trial.number + 1, better))
        return curve

    @property
    def is_wide(self) -> bool:
        """Whether the values are positive and span more than `WIDE`."""
        values = [float(trial.value or 0.0) for trial in self.measured()]
        return bool(values) and min(values) > 0 and max(values) > WIDE * min(values)

    @property
    def spent_microcredits(self) -> int:
        """What the trials cost, those under way counted at their quotes."""
        jobs = [trial.job for trial in self.trials if trial.job is not None]
        return sum(job.cost_microcredits if job.is_over else job.quote_microcredits for job in jobs)


def contest_of(search: Search) -> Contest:
    trials = list(search.trials.select_related("job").order_by("number"))
    metric = next((trial.job.metric for trial in trials if trial.job is not None), "")
    is_loss = search.objective == Search.Objective.LOSS
    return Contest(
        trials=trials,
        is_low_good=is_loss or metric_of(metric).is_low_good,
        is_halving=search.sampler == Search.Sampler.HALVING,
    )


def measure(search: Search, trial: Trial, *, wanted_in: Sequence[Work.Status] = Work.OPEN) -> None:
    """Write down what a trial's job came to, when it is over; in the caller's transaction.

    The row itself is asked whether it is still wanted: a cancelled search writes nothing more.
    """
    job = trial.job
    if trial.state != Trial.State.ASKED or job is None or not job.is_over:
        return
    last = job.points.last() if job.status == Work.Status.DONE else None
    value = getattr(last, search.objective, None)
    state = Trial.State.FAILED if value is None else Trial.State.TOLD
    wanted = Trial.objects.filter(
        pk=trial.pk, state=Trial.State.ASKED, search__status__in=wanted_in
    )
    if wanted.update(value=value, state=state):
        trial.value, trial.state = value, state


def bury(search: Search) -> None:
    """What a quarantined search had placed ends with it: nobody would ever look at it. What was
    over by then keeps its value.
    """
    for trial in search.trials.filter(state=Trial.State.ASKED).select_related("job"):
        why = "Ended with its search, which got no further."
        if trial.job is not None and not withdraw_job(trial.job, why=why):
            trial.job.refresh_from_db()
            measure(search, trial, wanted_in=[Work.Status.QUARANTINED])
    search.trials.filter(state=Trial.State.ASKED).update(state=Trial.State.FAILED)
    governance.record(actor=None, verb="quarantine_search", subject=search)


@dataclass(frozen=True, kw_only=True)
class Rung:
    """`size` trials of so many epochs each."""

    size: int
    epochs: int


def rungs(*, trials: int, epochs: int) -> list[Rung]:
    """Successive halving (Jamieson and Talwalkar, 2016) with at most so many trials in all.

    The last rung trains for `epochs`, each before it for a third of the next.
    """
    above = 0
    while above + 1 < RUNGS_MAX and epochs >= ETA ** (above + 1) and trials >= total(above + 1):
        above += 1
    first = ETA**above
    while sum((first + 1) // ETA**rung for rung in range(above + 1)) <= trials:
        first += 1
    return [
        Rung(size=first // ETA**rung, epochs=max(1, epochs // ETA ** (above - rung)))
        for rung in range(above + 1)
    ]


def total(above: int) -> int:
    """The fewest trials that make so many rungs above the first."""
    return sum(ETA**rung for rung in range(above + 1))


@dataclass(frozen=True, kw_only=True)
class Next:
    """What is tried next: a promoted trial's settings, or new ones, for so many epochs.

    `pruned` are those that a rung which is now full did not promote.
    """

    epochs: int
    promoted: dict[str, Any] | None
    pruned: list[Trial]


def next_in_halving(contest: Contest, plan: Sequence[Rung]) -> Next | None:
    """Nothing when the last rung is full, or a rung left nobody to promote."""
    start = 0
    pruned: list[Trial] = []
    promoted: list[Trial] | None = None
    for rung in plan:
        size = rung.size if promoted is None else min(rung.size, len(promoted))
        members = contest.trials[start : start + size]
        if len(members) < size:
            params = None if promoted is None else promoted[len(members)].params
            return Next(epochs=rung.epochs, promoted=params, pruned=pruned)
        ranked = contest.ranked(members)
        promoted = ranked[: max(1, size // ETA)]
        pruned += ranked[len(promoted) :]
        start += size
    return None
