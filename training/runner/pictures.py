"""Files of pictures as their pixels, without one parser of them in this process: another one, with
bounds of its own, reads them (`pixels`).
"""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SECONDS_MAX = 10
LENGTH_BYTES = 8  # of the number before each picture that says how long it is
HERE = Path(__file__).parents[2]

Size = tuple[int, int, int]  # height, width, channels


class PictureRefused(ValueError):
    """A picture that is not taken; the text says why, and what to do. `at` is its place among
    several.
    """

    at = 0


def opened(contents: Sequence[bytes], size: Size) -> NDArray[np.uint8]:
    """The pictures as pixels [pictures, *size]. Raises PictureRefused for the first that is not
    taken.
    """
    asked = b"".join(len(each).to_bytes(LENGTH_BYTES, "little") + each for each in contents)
    command = [sys.executable, "-m", "training.runner.pixels", *map(str, size)]
    try:
        ran = subprocess.run(  # noqa: S603  # our own module, and three numbers
            command, cwd=HERE, input=asked, capture_output=True, timeout=SECONDS_MAX, env={}
        )
    except subprocess.TimeoutExpired as error:
        raise PictureRefused(f"was not read within {SECONDS_MAX} s; make it smaller.") from error
    if ran.returncode == os.EX_DATAERR:
        told = json.loads(ran.stdout)
        refusal = PictureRefused(told["refused"])
        refusal.at = told["at"]
        raise refusal
    if ran.returncode:
        raise PictureRefused("ended the process that read it; it may be damaged: save it anew.")
    return np.frombuffer(ran.stdout, np.uint8).reshape(len(contents), *size)
