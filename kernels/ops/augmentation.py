"""Pictures changed a little at random while they are trained on: what they show stays the same, and
no two epochs see the same numbers.

Each picture of a batch has a block of four random words: by how many rows and by how many columns
it is moved; whether it is mirrored (bit 31) and how its contrast changes (the lower 24 bits); how
its brightness does.
"""

import numpy as np

from kernels import philox
from kernels.graph import Node
from kernels.ops.chance import STREAM
from kernels.ops.table import Array, Op
from kernels.signature import Signature

MIRRORED, LOWER24 = np.uint64(1 << 31), np.uint64(2**24 - 1)


def augment(node: Node, step: int, x: Array) -> Array:
    words, shift = philox.draw(node.attributes, step, len(x)), int(node.attributes["shift"])
    steps = (words[:, :2] * np.uint64(2 * shift + 1) >> np.uint64(32)).astype(np.int64) - shift
    out = np.empty_like(x)
    for row, picture in enumerate(x):
        out[row] = moved(picture, *steps[row].tolist())
        if node.attributes["flip"] and words[row, 2] & MIRRORED:
            out[row] = out[row, :, ::-1].copy()
    if not (node.attributes["contrast"] or node.attributes["brightness"]):
        return out
    contrast, brightness = (
        factors(words[:, word], float(node.attributes[name])).astype(x.dtype)[:, None, None, None]
        for word, name in ((2, "contrast"), (3, "brightness"))
    )
    mean = out.mean(axis=(1, 2, 3), keepdims=True)
    return np.asarray(((out - mean) * contrast + mean) * brightness)


def moved(picture: Array, down: int, right: int) -> Array:
    """What comes in at an edge is that edge once more."""
    height, width = picture.shape[:2]
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    columns = np.clip(np.arange(width) - right, 0, width - 1)
    return np.asarray(picture[rows][:, columns])


def factors(words: Array, share: float) -> Array:
    """From 1 - share to 1 + share."""
    return np.asarray(1 + share * ((words & LOWER24) * 2.0**-23 - 1))


ROWS: dict[str, Op] = {
    "augment": Op(
        Signature("(b,h,w,c)->(b,h,w,c)"),
        augment,
        attributes={"shift": int, "flip": int, "contrast": float, "brightness": float} | STREAM,
        flops=6,
        holds=lambda sizes, attributes: (
            0 <= int(attributes["shift"]) < max(2, min(sizes["h"], sizes["w"]))
        ),
        counts_steps=True,
    ),
}
