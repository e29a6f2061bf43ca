"""A series as examples: what went before, and what came next."""

import numpy as np
from numpy.typing import NDArray


def windows(
    values: NDArray[np.float32], targets: NDArray[np.float32], window: int, horizon: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """All examples of a series that is in order and has no gap.

    `values` [steps, channels] and `targets` [steps, k] give `window` steps of the values [examples,
    window, channels], and the `horizon` steps of the targets that follow [examples, horizon · k],
    step by step. There are steps − window − horizon + 1 examples, none where that is less than 1.
    """
    examples = max(len(values) - window - horizon + 1, 0)
    first = np.arange(examples)[:, None]
    given = values[first + np.arange(window)]
    following = targets[first + window + np.arange(horizon)]
    return given, following.reshape(examples, horizon * targets.shape[1])


def windows_of_parts(
    values: NDArray[np.float32],
    targets: NDArray[np.float32],
    parts: NDArray[np.int8],
    window: int,
    horizon: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int8]]:
    """The same of each part by itself, so that no example has steps of two; and their parts.

    `parts` int8 [steps] are in one piece each, as a split by time leaves them.
    """
    found = []
    for part in dict.fromkeys(parts.tolist()):
        inside = parts == part
        given, following = windows(values[inside], targets[inside], window, horizon)
        found.append((given, following, np.full(len(given), part, np.int8)))
    given, following, of_part = (np.concatenate(each) for each in zip(*found, strict=True))
    return given, following, of_part
