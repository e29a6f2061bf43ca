"""Losses of acting: REINFORCE with an entropy bonus for policies, and Q-learning.

A policy is trained by `policy_gradient` on logits, actions taken and their advantages; action
values by `action_value` on what `expected_return` makes of rewards and the values of the next
states (of a target network, which no gradient reaches).
"""

import numpy as np

from kernels.graph import Node
from kernels.ops.likelihoods import costs
from kernels.ops.losses import scored, softmax
from kernels.ops.regression import huber
from kernels.ops.table import Array, Op
from kernels.signature import Signature


def entropies(x: Array) -> Array:
    return np.asarray((softmax(x) * costs(x)).sum(axis=1, keepdims=True))


def policy_gradient(node: Node, step: int, x: Array, actions: Array, advantages: Array) -> Array:
    bonus = x.dtype.type(node.attributes["bonus"])
    own = np.take_along_axis(costs(x), actions.astype(np.int64), axis=1)
    each = advantages * own - bonus * entropies(x)
    return np.array([each.mean(), entropies(x).sum()], x.dtype)


def policy_gradient_slope(
    node: Node, step: int, x: Array, actions: Array, advantages: Array
) -> Array:
    bonus = x.dtype.type(node.attributes["bonus"])
    shares = softmax(x)
    away = shares - (np.arange(x.shape[1]) == actions)
    flat = shares * (entropies(x) - costs(x))
    return np.asarray((advantages * away + bonus * flat) / x.dtype.type(len(x)))


def action_value(node: Node, step: int, values: Array, actions: Array, targets: Array) -> Array:
    delta = values.dtype.type(node.attributes["delta"])
    away = np.take_along_axis(values, actions.astype(np.int64), axis=1) - targets
    return np.array([huber(away, delta).mean(), np.abs(away).sum()], values.dtype)


def action_value_slope(
    node: Node, step: int, values: Array, actions: Array, targets: Array
) -> Array:
    delta = values.dtype.type(node.attributes["delta"])
    away = np.take_along_axis(values, actions.astype(np.int64), axis=1) - targets
    slope = np.clip(away, -delta, delta) * values.dtype.type(1 / len(values))
    return np.asarray(np.where(np.arange(values.shape[1]) == actions, slope, slope.dtype.type(0)))


def expected_return(node: Node, step: int, rewards: Array, goes_on: Array, values: Array) -> Array:
    discount = values.dtype.type(node.attributes["discount"])
    return np.asarray(rewards + discount * goes_on * values.max(axis=1, keepdims=True))


POLICY = {"bonus": float}
VALUE = {"delta": float}

ROWS: dict[str, Op] = {
    "policy_gradient": Op(
        Signature("(m,n),(m,1)u,(m,1)->(2)"),
        policy_gradient,
        scored("policy_gradient_gradient"),
        attributes=POLICY,
        flops=30,
        scratch=lambda sizes: 4 * sizes["n"],
    ),
    "policy_gradient_gradient": Op(
        Signature("(m,n),(m,1)u,(m,1)->(m,n)"),
        policy_gradient_slope,
        attributes=POLICY,
        flops=32,
    ),
    "action_value": Op(
        Signature("(m,n),(m,1)u,(m,1)->(2)"),
        action_value,
        scored("action_value_gradient"),
        attributes=VALUE,
    ),
    "action_value_gradient": Op(
        Signature("(m,n),(m,1)u,(m,1)->(m,n)"), action_value_slope, attributes=VALUE
    ),
    "expected_return": Op(
        Signature("(m,1),(m,1),(m,n)->(m,1)"), expected_return, attributes={"discount": float}
    ),
}
