"""Episodes of CartPole: played by lot while a policy learns, greedily where it is measured.

All that is drawn is a function of (seed, iteration, push, pole), and a row's answer is the same
bits whatever rows it is asked with: so the same policy plays the same episodes, whoever asks.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import philox
from kernels.data import TrainingData
from kernels.philox import Purpose
from kernels.predictor import Predictor
from training.runner import cartpole
from training.runner.cartpole import START_MOST, STEPS_MOST, States
from training.runner.environments import DISCOUNT, POLES

# Returns that differ by less than this are not blown up to count as much as those that differ more.
SPREAD_LEAST = 0.1 / (1 - DISCOUNT)
# A policy is given numbers between about -2 and 2: what is measured is measured of these ranges.
RANGES = np.array([cartpole.POSITION_MOST, 3.0, cartpole.ANGLE_MOST, 3.0])

Beat = Callable[[], object]  # called between pushes, so that who waits knows it goes on


@dataclass(frozen=True, eq=False)
class Played:
    """What was seen [pushes, poles, 4], done, and how many pushes the pole had stood before it
    [pushes, poles]; where an episode ended, and where by a fall.
    """

    seen: NDArray[np.float32]
    actions: NDArray[np.uint32]
    ages: NDArray[np.int64]
    ends: NDArray[np.bool_]
    falls: NDArray[np.bool_]

    @property
    def mean_return(self) -> float:
        """Of the episodes that came to their end."""
        returns = self.ages[self.ends] + 1
        return int(returns.sum()) / len(returns)


def shares(seed: int, purpose: Purpose, iteration: int, total: int) -> NDArray[np.float64]:
    """So many numbers from 0 on, below 1."""
    return philox.words24(philox.stream(seed, purpose), iteration, total) / 2.0**24


def play(predictor: Predictor, *, seed: int, iteration: int, beat: Beat) -> Played:
    """POLES side by side, for as many pushes as an episode may have; who falls begins anew.

    The policy's first probability is that of a push to the left.
    """
    size = (STEPS_MOST, POLES)
    starts = shares(seed, Purpose.STARTS, iteration, 4 * STEPS_MOST * POLES).reshape(*size, 4)
    starts = START_MOST * (2 * starts - 1)
    lots = shares(seed, Purpose.ACTIONS, iteration, STEPS_MOST * POLES).reshape(size)
    seen, actions = np.empty((*size, 4), np.float32), np.empty(size, np.uint32)
    ages, falls = np.empty(size, np.int64), np.empty(size, np.bool_)
    states, age = starts[0].T.copy(), np.zeros(POLES, np.int64)
    for push in range(STEPS_MOST):
        seen[push], ages[push] = cartpole.observed(states), age
        actions[push] = lots[push] >= predictor.predict(seen[push])[:, 0]
        states = cartpole.step(states, actions[push])
        falls[push] = cartpole.has_fallen(states)
        age += 1
        begins = falls[push] | (age == STEPS_MOST)
        states[:, begins], age[begins] = starts[push, begins].T, 0
        beat()
    return Played(seen, actions, ages, falls | (ages == STEPS_MOST - 1), falls)


def advantages(played: Played) -> NDArray[np.float32]:
    """What each push earned beyond what was to be expected at that age [pushes, poles].

    The discounted return to come, less its mean over all poles that stood as long, over its spread.
    An episode that the time ended is worth what goes on for ever, 1 / (1 - DISCOUNT); what was not
    played to its end teaches nothing: 0.
    """
    returns = np.empty(played.actions.shape)
    is_known = np.empty(played.actions.shape, np.bool_)
    to_come, known = np.zeros(POLES), np.zeros(POLES, np.bool_)
    for push in range(STEPS_MOST - 1, -1, -1):
        for_ever = np.where(played.falls[push], 0.0, 1 / (1 - DISCOUNT))
        to_come = 1 + DISCOUNT * np.where(played.ends[push], for_ever, to_come)
        known = known | played.ends[push]
        returns[push], is_known[push] = to_come, known
    ages = played.ages[is_known]
    counts = np.bincount(ages, minlength=STEPS_MOST)
    means = np.bincount(ages, returns[is_known], STEPS_MOST) / np.maximum(counts, 1)
    beyond = np.where(is_known, returns - means[played.ages], 0.0)
    spread = math.sqrt(math.fsum((beyond * beyond).ravel().tolist()) / len(ages))
    return (beyond / max(spread, SPREAD_LEAST)).astype(np.float32)


def rows_of(played: Played) -> TrainingData:
    return training_data(
        played.seen.reshape(-1, 4), played.actions.reshape(-1), advantages(played).reshape(-1)
    )


def spread_rows() -> TrainingData:
    """Rows that nobody played, spread evenly over what may be seen: they standardise all others.

    Rows of a first policy would not do: it never comes far, and a better one, that does, would be
    given numbers beyond all it can tell apart.
    """
    steps = POLES * STEPS_MOST
    along = (2 * np.arange(steps) + 1 - steps) / steps  # from -1 to 1
    seen = (along[:, None] * RANGES).astype(np.float32)
    return training_data(seen, np.zeros(steps, np.uint32), np.zeros(steps, np.float32))


def training_data(
    seen: NDArray[np.float32], actions: NDArray[np.uint32], earned: NDArray[np.float32]
) -> TrainingData:
    return TrainingData(
        train_rows=seen,
        train_targets=actions,
        validation_rows=seen[:0],
        validation_targets=actions[:0],
        train_rewards=earned,
        validation_rewards=earned[:0],
    )


def play_greedily(
    predictor: Predictor,
    starts: States,
    *,
    beat: Beat,
    watch: Callable[[States, NDArray[np.int64]], object] | None = None,
) -> NDArray[np.int64]:
    """The returns [episodes] from first states (4, episodes), always taking the likeliest action.

    `watch` is shown the states of those that still stand, and what is done.
    """
    returns = np.zeros(starts.shape[1], np.int64)
    standing, states = np.arange(len(returns)), starts
    while len(standing) and returns.max() < STEPS_MOST:
        actions = predictor.predict(cartpole.observed(states)).argmax(axis=1)
        if watch is not None:
            watch(states, actions)
        states = cartpole.step(states, actions)
        returns[standing] += 1
        stands = ~cartpole.has_fallen(states)
        standing, states = standing[stands], states[:, stands]
        beat()
    return returns


def evaluate(
    predictor: Predictor, *, episodes: int, seed: int, beat: Beat = lambda: None
) -> NDArray[np.int64]:
    """The returns of greedy episodes: those of `env.reset(seed=seed + i)` in gymnasium."""
    return play_greedily(predictor, cartpole.seeded_starts(episodes, seed=seed), beat=beat)


def replay(predictor: Predictor, *, seed: int, beat: Beat = lambda: None) -> dict[str, Any]:
    """One greedy episode, as what is drawn of it: where the cart was (m) and how the pole leant
    (radians) before each push and after the last, the pushes, and the limits of both.
    """
    pushes: list[int] = []
    states = [cartpole.seeded_starts(1, seed=seed)]

    def watch(_: States, actions: NDArray[np.int64]) -> None:
        pushes.append(int(actions[0]))
        states.append(cartpole.step(states[-1], actions))

    play_greedily(predictor, states[0], beat=beat, watch=watch)
    positions, _, angles, _ = np.concatenate(states, axis=1).round(4).tolist()
    return {
        "seed": seed,
        "return": len(pushes),
        "position": positions,
        "angle": angles,
        "actions": pushes,
        "position_most": cartpole.POSITION_MOST,
        "angle_most": cartpole.ANGLE_MOST,
        "seconds_a_step": cartpole.SECONDS_A_STEP,
    }
