"""A zip of pictures with a folder for each class, brought to one size."""

import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from training.runner import pixels
from training.runner.pictures import PictureRefused, Size
from training.runner.readers import zips
from training.runner.readers.content import Bounds, FileRefused, Pictures
from training.runner.recipes.columns import NAME_LENGTH_MAX

SIDE_KEPT_MAX = 64  # pictures of one size stay as they are up to here
SIDE = 32  # else they become squares of this size
FAULTS_TOLD = 5


def read_pictures(path: Path, bounds: Bounds, *, size: Size | None = None) -> Pictures:
    """The pictures as (height, width, channels): the size that is asked for, or what most have.

    Raises FileRefused, which names the first few that are not taken, so that nobody has to bring
    the file once for each.
    """
    with zips.open_zip(path) as archive:
        entries = zips.entries(archive, path.stat().st_size, 2 * bounds.rows)
        labels = [label_of(entry.filename) for entry in entries]
        if not entries:
            raise FileRefused("has no pictures in it; put them into a folder for each class.")
        chosen = size or choose_size(archive, entries)
        bounds.check_size(len(entries), int(np.prod(chosen)), "pixels")
        found = np.empty((len(entries), *chosen), np.uint8)
        faults: list[str] = []
        for number, entry in enumerate(entries):
            with noting(faults, entry):
                found[number] = pixels.pixels_of(picture_of(archive, entry), chosen)
        refuse(faults)
    return Pictures(found, labels, [entry.filename for entry in entries])


def label_of(name: str) -> str:
    """The folder that a picture lies in."""
    folder = PurePosixPath(name).parent.name.strip()
    if not folder:
        raise FileRefused(f"{name!r}: lies in no folder; put it into one named after its class.")
    if len(folder) > NAME_LENGTH_MAX:
        raise FileRefused(f"the folder {folder[:40]!r}…: at most {NAME_LENGTH_MAX} characters.")
    return folder


def choose_size(archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]) -> Size:
    """The size that all have, if it is small, or a square; grey where no picture has colours."""
    sizes: Counter[tuple[int, int]] = Counter()
    channels = 1
    faults: list[str] = []
    for entry in entries:
        with noting(faults, entry):
            picture = picture_of(archive, entry)
            sizes[pixels.size_of(picture)] += 1
            channels = channels if pixels.is_grey(picture) else 3
    refuse(faults)
    height, width = sizes.most_common(1)[0][0]
    if len(sizes) > 1 or max(height, width) > SIDE_KEPT_MAX:
        return SIDE, SIDE, channels
    return height, width, channels


def picture_of(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Image.Image:
    return pixels.open_picture(zips.content_of(archive, entry))


@contextmanager
def noting(faults: list[str], entry: zipfile.ZipInfo) -> Iterator[None]:
    """What is wrong with one picture, so that the others are looked at, too."""
    try:
        yield
    except PictureRefused as error:
        faults.append(f"{entry.filename!r}: {error}")


def refuse(faults: Sequence[str]) -> None:
    more = len(faults) - FAULTS_TOLD
    if faults:
        told = " ".join(faults[:FAULTS_TOLD])
        raise FileRefused(f"{told} So are {more} more files." if more > 0 else told)
