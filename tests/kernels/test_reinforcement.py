"""Acting, learned on tapes: a policy by REINFORCE, action values by Q-learning."""

import numpy as np
import pytest

from kernels import optimizers
from kernels.autodiff import gradients
from kernels.compiler import Program, compile_programs
from kernels.graph import leaf, reshape
from kernels.limits import Limits, Trapped
from kernels.ops import apply
from kernels.runtime import Sandbox

STATES, ACTIONS = 5, 2
ROWS = STATES * ACTIONS


def one_hot(numbers, size):
    return np.eye(size, dtype=np.float32)[numbers]


def moves(weights, slope):
    """Adam on a leaf, in place; the first instruction is to go into memory["g"]."""
    shape = weights.shape
    memory = {name: leaf(name, (weights.elements,)) for name in optimizers.MOMENTS["adam"]}
    memory |= {name: leaf(name, (1,)) for name in ("rate", "steps")}
    memory["g"] = leaf("g", shape)
    flat, g = reshape(weights, (weights.elements,)), reshape(memory["g"], (weights.elements,))
    moments = [memory[name] for name in optimizers.MOMENTS["adam"]]
    copied = apply("copy", slope)
    return [
        copied,
        optimizers.move("adam", flat, g, moments, memory["rate"], memory["steps"]),
    ], memory


def test_a_policy_finds_the_action_that_is_rewarded_and_a_bonus_keeps_doubt(simd):
    """Four situations, four actions, of which one is right; only the taken one's reward is seen."""
    doubts = {}
    for bonus in (0.0, 0.2):
        weights, rewarded, doubts[bonus] = trained_policy(simd, bonus)
        assert rewarded > 0.9
        assert weights.argmax(axis=1).tolist() == [1, 2, 3, 0]
    assert doubts[0.2] > 1.5 * doubts[0.0]


def trained_policy(simd, bonus):
    """Its weights, the share of rewarded actions and the mean entropy in the last batch."""
    weights = leaf("w", (4, 4))
    seen, actions = leaf("seen", (32, 4)), leaf("actions", (32, 1), "u4")
    advantages = leaf("advantages", (32, 1))
    logits = apply("matmul_nn", seen, weights)
    loss = apply("policy_gradient", logits, actions, advantages, attributes={"bonus": bonus})
    move, memory = moves(weights, gradients(loss, [weights])[weights])
    policy, shown, measured = apply("softmax", logits), leaf("shown", (32, 4)), leaf("found", (2,))
    plan = compile_programs(
        {
            "act": Program([policy], {policy: shown}),
            "learn": Program([loss, *move], {loss: measured, move[0]: memory["g"]}),
        }
    )
    sandbox = Sandbox(simd, plan, Limits(memory_bytes=2**22))
    sandbox.array(memory["rate"])[...] = 0.1
    rng = np.random.default_rng(1)
    for step in range(200):
        situations = rng.integers(0, 4, 32)
        sandbox.array(seen)[...] = one_hot(situations, 4)
        sandbox.run("act", step, 1)
        chances = np.cumsum(sandbox.array(shown), axis=1)
        taken = (rng.random((32, 1)) > chances[:, :3]).sum(axis=1)
        rewards = taken == (situations + 1) % 4
        sandbox.array(actions)[:, 0] = taken
        sandbox.array(advantages)[:, 0] = rewards - 0.25
        sandbox.run("learn", step, 1)
    return sandbox.array(weights), rewards.mean(), sandbox.array(measured)[1] / 32


def test_action_values_are_what_they_lead_to(simd):
    """A corridor of five places: to the right of the last one lies a reward. All steps were seen;
    the values they lead to are those of a copy of the weights that follows every 50 steps.
    """
    discount = 0.8
    weights, target = leaf("w", (STATES, ACTIONS)), leaf("target", (STATES, ACTIONS))
    here, there = leaf("here", (ROWS, STATES)), leaf("there", (ROWS, STATES))
    rewards, goes_on = leaf("rewards", (ROWS, 1)), leaf("goes_on", (ROWS, 1))
    actions = leaf("actions", (ROWS, 1), "u4")
    expected = apply(
        "expected_return",
        rewards,
        goes_on,
        apply("matmul_nn", there, target),
        attributes={"discount": discount},
    )
    values = apply("matmul_nn", here, weights)
    loss = apply("action_value", values, actions, expected, attributes={"delta": 1.0})
    move, memory = moves(weights, gradients(loss, [weights])[weights])
    follow = apply("copy", weights)
    plan = compile_programs(
        {
            "learn": Program(move, {move[0]: memory["g"]}),
            "follow": Program([follow], {follow: target}),
        }
    )
    sandbox = Sandbox(simd, plan, Limits(memory_bytes=2**22))
    places, steps = np.divmod(np.arange(ROWS), ACTIONS)
    after = np.clip(places + 2 * steps - 1, 0, STATES - 1)
    is_end = (places == STATES - 1) & (steps == 1)
    given = {
        here: one_hot(places, STATES),
        there: one_hot(after, STATES),
        rewards: is_end[:, None],
        goes_on: ~is_end[:, None],
        actions: steps[:, None],
        memory["rate"]: 0.05,
    }
    for node, array in given.items():
        sandbox.array(node)[...] = array
    for turn in range(12):
        sandbox.run("learn", 50 * turn, 50)
        sandbox.run("follow", 0, 1)
    best = discount ** np.arange(STATES - 1, -1, -1.0)
    back = discount * best[np.maximum(np.arange(STATES) - 1, 0)]
    np.testing.assert_allclose(
        sandbox.array(weights), np.stack([back, best], axis=1), rtol=0, atol=0.02
    )


@pytest.mark.parametrize("name", ["action_value", "policy_gradient"])
@pytest.mark.parametrize("kind", ["", "_gradient"])
def test_an_action_that_is_none_traps_in_every_row(name, kind, module, compute):
    rows = 7
    values, actions = leaf("values", (rows, 3)), leaf("actions", (rows, 1), "u4")
    others = leaf("others", (rows, 1))
    attributes = {"delta": 1.0} if name == "action_value" else {"bonus": 0.1}
    node = apply(name + kind, values, actions, others, attributes=attributes)
    for row in range(rows):
        taken = np.zeros((rows, 1), np.uint32)
        taken[row] = 3
        memory = {values: np.ones((rows, 3), np.float32), actions: taken}
        with pytest.raises(Trapped):
            compute(module, node, memory | {others: np.zeros((rows, 1), np.float32)})
