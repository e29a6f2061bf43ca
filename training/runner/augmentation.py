"""More training rows from those that are there: pictures moved a little show the same thing."""

import numpy as np
from numpy.typing import NDArray

SIDES = ((0, 1), (0, -1), (1, 0), (-1, 0))  # right, left, down, up


def moved(pictures: NDArray[np.float32], pixels: int = 1) -> NDArray[np.float32]:
    """Each of pictures [rows, height, width, channels] four times, moved to each side by so many
    pixels: [4 · rows, height, width, channels]. What comes in at the edge is the colour 0.
    """
    height, width = pictures.shape[1:3]
    found = []
    for down, right in SIDES:
        by_rows, by_columns = down * pixels, right * pixels
        copy = np.zeros_like(pictures)
        copy[:, max(0, by_rows) : height + min(0, by_rows), max(0, by_columns) :][
            :, :, : width - abs(by_columns)
        ] = pictures[
            :,
            max(0, -by_rows) : height - max(0, by_rows),
            max(0, -by_columns) : width - max(0, by_columns),
        ]
        found.append(copy)
    return np.concatenate(found)
