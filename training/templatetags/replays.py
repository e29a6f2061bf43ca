"""An episode of a network that acts, as a picture: what was seen on the way, and the way itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import template

from training.templatetags.charts import Context
from training.templatetags.scales import Point

register = template.Library()

FRAMES = 12
WIDTH, HEIGHT = 120, 76  # of a frame's inner coordinates
TRACK_Y, CART_HEIGHT, CART_WIDTH, MARGIN = 66, 10, 22, 14
POLE = 50  # its length; leans are drawn as they are


@dataclass(frozen=True)
class Frame:
    """The cart and the two ends of its pole, and when that was."""

    cart_x: str
    x: str
    top_x: str
    top_y: str
    seconds: str


@register.inclusion_tag("_cartpole_replay.html")
def cartpole_replay(replay: Mapping[str, Any]) -> Context:
    """Draw FRAMES moments of an episode of CartPole, and where cart and pole were all along.

    `replay` is what `training.runner.episodes.replay` returns.
    """
    positions, angles = replay["position"], replay["angle"]
    last, seconds = len(positions) - 1, replay["seconds_a_step"]
    shown = sorted({round(number * last / (FRAMES - 1)) for number in range(FRAMES)})
    limits = (replay["position_most"], replay["angle_most"])
    lines: dict[str, list[Point]] = {
        name: [(step * seconds, 100 * value / limit) for step, value in enumerate(values)]
        for name, values, limit in zip(("cart", "pole"), (positions, angles), limits, strict=True)
    }
    return {
        "frames": [
            frame(positions[step] / limits[0], angles[step], step * seconds) for step in shown
        ],
        "lines": lines,
        "return": replay["return"],
        "seconds": f"{last * seconds:.2f}",
        "seed": replay["seed"],
        "position_most": limits[0],
        "angle_most": round(math.degrees(limits[1])),
        "width": WIDTH,
        "height": HEIGHT,
        "track_y": TRACK_Y,
        "cart_y": TRACK_Y - CART_HEIGHT,
        "cart_height": CART_HEIGHT,
        "cart_width": CART_WIDTH,
    }


def frame(place: float, angle: float, seconds: float) -> Frame:
    """`place` is a share of the track, from -1 to 1; `angle` radians from upright, to the right."""
    x = WIDTH / 2 + place * (WIDTH / 2 - MARGIN)
    return Frame(
        cart_x=f"{x - CART_WIDTH / 2:.2f}",
        x=f"{x:.2f}",
        top_x=f"{x + POLE * math.sin(angle):.2f}",
        top_y=f"{TRACK_Y - CART_HEIGHT - POLE * math.cos(angle):.2f}",
        seconds=f"{seconds:.2f}",
    )
