"""CartPole-v1 of gymnasium, many poles at once, to the same bit on every machine.

A cart on a track is pushed to the left (action 0) or to the right (1) fifty times a second, and
each push after which its pole still stands earns 1. The episode ends where the cart leaves the
track, the pole leans more than 12 degrees, or after 500 pushes. The equations are those of
gymnasium's `CartPoleEnv` (Barto, Sutton and Anderson, "Neuronlike adaptive elements that can solve
difficult learning control problems", 1983; Florian, "Correct equations for the dynamics of the
cart-pole system", 2005), in its order of operations; tests hold each step to it.

Why not gymnasium's own: its sine and cosine are the C library's or NumPy's, whose last bits differ
between processors, so that a policy trained here could not be trained again elsewhere. Here they
are Taylor polynomials of plain additions and products, exact to a double's precision for any angle
from which an episode goes on.
"""

import numpy as np
from numpy.typing import NDArray

GRAVITY = 9.8
CART_MASS, POLE_MASS = 1.0, 0.1
TOTAL_MASS = POLE_MASS + CART_MASS
HALF_LENGTH = 0.5  # of the pole
POLE_MOMENT = POLE_MASS * HALF_LENGTH
FORCE = 10.0
SECONDS_A_STEP = 0.02
POSITION_MOST = 2.4
ANGLE_MOST = 12 * 2 * np.pi / 360
START_MOST = 0.05  # each number of a first state is within
STEPS_MOST = 500
COLUMNS = ("cart position", "cart speed", "pole angle", "pole speed")
ACTIONS = ("push left", "push right")
SINE = (1.0, -1 / 6, 1 / 120, -1 / 5_040, 1 / 362_880, -1 / 39_916_800, 1 / 6_227_020_800)
COSINE = (1.0, -1 / 2, 1 / 24, -1 / 720, 1 / 40_320, -1 / 3_628_800, 1 / 479_001_600)

States = NDArray[np.float64]


def polynomial(factors: tuple[float, ...], x: States) -> States:
    """The sum of factors[i] * x^i, from the highest power down."""
    found = np.full_like(x, factors[-1])
    for factor in factors[-2::-1]:
        found = found * x + factor
    return found


def step(states: States, actions: NDArray[np.integer]) -> States:
    """The states (4, poles) after a push of each cart: 0 to the left, 1 to the right."""
    x, x_speed, angle, angle_speed = states
    force = np.where(actions == 1, FORCE, -FORCE)
    square = angle * angle
    sine, cosine = angle * polynomial(SINE, square), polynomial(COSINE, square)
    push = (force + POLE_MOMENT * (angle_speed * angle_speed) * sine) / TOTAL_MASS
    resistance = HALF_LENGTH * (4.0 / 3.0 - POLE_MASS * (cosine * cosine) / TOTAL_MASS)
    angle_change = (GRAVITY * sine - cosine * push) / resistance
    speed_change = push - POLE_MOMENT * angle_change * cosine / TOTAL_MASS
    return np.stack(
        [
            x + SECONDS_A_STEP * x_speed,
            x_speed + SECONDS_A_STEP * speed_change,
            angle + SECONDS_A_STEP * angle_speed,
            angle_speed + SECONDS_A_STEP * angle_change,
        ]
    )


def has_fallen(states: States) -> NDArray[np.bool_]:
    """Of each pole of states (4, poles), whether its episode ends here."""
    return np.asarray((np.abs(states[0]) > POSITION_MOST) | (np.abs(states[2]) > ANGLE_MOST))


def observed(states: States) -> NDArray[np.float32]:
    """What a policy sees (poles, 4) of states (4, poles)."""
    return np.ascontiguousarray(states.T, dtype=np.float32)


def seeded_starts(episodes: int, *, seed: int) -> States:
    """First states (4, episodes): those of `env.reset(seed=seed + i)` in gymnasium."""
    drawn = [
        np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed + number))).uniform(
            low=-START_MOST, high=START_MOST, size=4
        )
        for number in range(episodes)
    ]
    return np.stack(drawn, axis=1)
