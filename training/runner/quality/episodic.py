"""Players: the mean return of 100 episodes, each begun by a seed of its own that no training used.

The likeliest action is always taken. The baseline plays the same episodes by lot. Where all return
the same, as 500 of a pole that never falls, no draw gives another mean: the interval is then that
of as many others as 100 alike leave room for, at the worst that an episode returns.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from training.runner.cartpole import STEPS_MOST
from training.runner.environments import CARTPOLE
from training.runner.episodes import replay
from training.runner.figures import Figure, Quality, bootstrapped, mean_interval
from training.runner.quality.shares import WILSON, alike_interval
from training.runner.subjects import Subject

EPISODES = 100
FIRST_SEED = 1_000_000  # far from those that training counts up
STEPS_MAX = 10_000
BINS = 20

Choose = Callable[[NDArray[np.float32]], NDArray[np.int64]]  # observations → actions


def measure(subject: Subject) -> Quality:
    name = str(subject.recipe.get("environment") or CARTPOLE)

    def likeliest(seen: NDArray[np.float32]) -> NDArray[np.int64]:
        subject.beat(0)
        return np.asarray(subject.predictor.predict(seen).argmax(axis=1), np.int64)

    returns = play(name, likeliest)
    by_lot = play(name, at_random(name, seed=subject.seed))
    are_alike = name == CARTPOLE and len(np.unique(returns)) == 1
    low, high = (
        alike_interval(float(returns[0]), EPISODES, least=0, most=STEPS_MOST)
        if are_alike
        else mean_interval(returns, seed=subject.seed)
    )
    best = gymnasium.spec(name).reward_threshold
    counts, edges = np.histogram(returns, BINS)
    figures = {
        "mean_return": Figure(
            float(returns.mean()), low, high, float(by_lot.mean()), "actions by lot"
        ),
        "lowest_return": Figure(
            float(returns.min()), baseline=float(by_lot.min()), baseline_name="actions by lot"
        ),
    }
    report: dict[str, Any] = {
        "game": name,  # the machine of the measurement is the environment
        "episodes": EPISODES,
        "solved_from": best,
        "returns": {"counts": counts.tolist(), "edges": edges.tolist()},
    }
    if name == CARTPOLE:
        shown = partial(subject.beat, 0)
        report["replay"] = replay(subject.predictor, seed=FIRST_SEED, beat=shown)
    method = WILSON if are_alike else bootstrapped(EPISODES, "episodes")
    return Quality("mean_return", figures, report, EPISODES, method)


def at_random(name: str, *, seed: int) -> Choose:
    rng = np.random.default_rng(seed)
    space: Any = gymnasium.make(name).action_space
    return lambda seen: rng.integers(0, int(space.n), len(seen))


def play(name: str, choose: Choose) -> NDArray[np.float64]:
    """The return of each episode. All are played side by side, so that one call answers all."""
    games = [gymnasium.make(name) for _ in range(EPISODES)]
    seen = np.stack([game.reset(seed=FIRST_SEED + n)[0] for n, game in enumerate(games)])
    returns = np.zeros(EPISODES)
    playing = np.arange(EPISODES)
    for _ in range(STEPS_MAX):
        if not len(playing):
            break
        actions = choose(seen[playing].astype(np.float32))
        goes_on = []
        for number, action in zip(playing, actions, strict=True):
            seen[number], reward, is_over, is_cut, _ = games[number].step(int(action))
            returns[number] += float(reward)
            if not (is_over or is_cut):
                goes_on.append(number)
        playing = np.array(goes_on, np.int64)
    for game in games:
        game.close()
    return returns
