"""The pole on a cart: gymnasium's, to the bit where plain arithmetic is, on every machine."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from training.runner import cartpole


def gymnasts(episodes):
    """So many of gymnasium's, begun by seeds from 7 on; their first states (4, episodes)."""
    games = [CartPoleEnv() for _ in range(episodes)]
    for number, game in enumerate(games):
        game.reset(seed=7 + number)
    return games, np.stack([game.state for game in games], axis=1)


def test_episodes_begin_as_gymnasium_begins_them():
    _, states = gymnasts(20)
    assert np.array_equal(cartpole.seeded_starts(20, seed=7), states)


def test_each_push_moves_the_cart_as_gymnasium_does():
    games, states = gymnasts(50)
    rng = np.random.default_rng(1)
    falls = 0
    for _ in range(200):
        actions = rng.integers(0, 2, len(games))
        states = cartpole.step(states, actions)
        fallen = cartpole.has_fallen(states)
        for number, game in enumerate(games):
            seen, _, is_over, _, _ = game.step(int(actions[number]))
            assert np.abs(np.array(game.state) - states[:, number]).max() < 1e-12
            assert np.abs(seen - cartpole.observed(states)[number]).max() < 1e-6
            assert is_over == fallen[number]
            if is_over:
                falls += 1
                game.reset()
                states[:, number] = game.state
    assert falls > 100


def test_the_limits_are_those_of_the_environment_everybody_measures():
    spec = gymnasium.spec("CartPole-v1")
    game = CartPoleEnv()
    assert spec.max_episode_steps == cartpole.STEPS_MOST
    assert game.x_threshold == cartpole.POSITION_MOST
    assert game.theta_threshold_radians == cartpole.ANGLE_MOST


@pytest.mark.parametrize("factors, exact", [(cartpole.SINE, np.sin), (cartpole.COSINE, np.cos)])
def test_sine_and_cosine_are_exact_wherever_a_pole_still_stands(factors, exact):
    angles = np.linspace(-0.3, 0.3, 10_001)
    found = cartpole.polynomial(factors, angles * angles)
    wanted = exact(angles)
    found = angles * found if exact is np.sin else found
    assert np.abs(found - wanted).max() < 2.3e-16
