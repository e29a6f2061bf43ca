"""Pictures: a zip with a folder for each class, read by Pillow and brought to one size."""

import io
import warnings
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from training.runner.readers import zips
from training.runner.readers.content import Bounds, FileRefused, Pictures
from training.runner.recipes.columns import NAME_LENGTH_MAX

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")
PIXELS_MAX = 16_000_000  # of one picture as it came
SIDE_KEPT_MAX = 64  # pictures of one size stay as they are up to here
SIDE = 32  # else they become squares of this size
GREY = ("1", "L", "LA", "I;16")
FAULTS = (
    UnidentifiedImageError,
    OSError,
    ValueError,
    SyntaxError,
    TypeError,
    IndexError,
    KeyError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def read_pictures(
    path: Path, bounds: Bounds, *, size: tuple[int, int, int] | None = None
) -> Pictures:
    """The pictures as (height, width, channels): the size that is asked for, or what most have.

    Raises FileRefused.
    """
    with zips.open_zip(path) as archive:
        entries = zips.entries(archive, path.stat().st_size, 2 * bounds.rows)
        labels = [label_of(entry.filename) for entry in entries]
        if not entries:
            raise FileRefused("has no pictures in it; put them into a folder for each class.")
        height, width, channels = size or size_of(archive, entries)
        bounds.check_size(len(entries), height * width * channels, "pixels")
        pixels = np.empty((len(entries), height, width, channels), np.uint8)
        for number, entry in enumerate(entries):
            picture = open_picture(zips.content_of(archive, entry), entry.filename)
            pixels[number] = pixels_of(picture, entry.filename, (height, width, channels))
    return Pictures(pixels, labels, [entry.filename for entry in entries])


def label_of(name: str) -> str:
    """The folder that a picture lies in."""
    folder = PurePosixPath(name).parent.name.strip()
    if not folder:
        raise FileRefused(f"{name!r}: lies in no folder; put it into one named after its class.")
    if len(folder) > NAME_LENGTH_MAX:
        raise FileRefused(f"the folder {folder[:40]!r}…: at most {NAME_LENGTH_MAX} characters.")
    return folder


def size_of(archive: zipfile.ZipFile, entries: Sequence[zipfile.ZipInfo]) -> tuple[int, int, int]:
    """The size that all have, if it is small, or a square; grey where no picture has colours."""
    sizes: Counter[tuple[int, int]] = Counter()
    channels = 1
    for entry in entries:
        picture = open_picture(zips.content_of(archive, entry), entry.filename)
        sizes[picture.height, picture.width] += 1
        if picture.mode not in GREY:
            channels = 3
    height, width = sizes.most_common(1)[0][0]
    if len(sizes) > 1 or max(height, width) > SIDE_KEPT_MAX:
        return SIDE, SIDE, channels
    return height, width, channels


def open_picture(content: bytes, name: str) -> Image.Image:
    """A picture whose header was read, and nothing more."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except FAULTS as error:
        known = ", ".join(FORMATS)
        raise FileRefused(f"{name!r}: is no picture that is read here ({known}).") from error
    if picture.width * picture.height > PIXELS_MAX:
        raise FileRefused(
            f"{name!r}: is {picture.width:,} × {picture.height:,} pixels; at most {PIXELS_MAX:,} "
            "in all. Make it smaller."
        )
    return picture


def pixels_of(picture: Image.Image, name: str, size: tuple[int, int, int]) -> NDArray[np.uint8]:
    """uint8 of this (height, width, channels), by Pillow's bilinear filter."""
    height, width, channels = size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about colours that nothing here depends on
            found = picture.convert("L" if channels == 1 else "RGB")
        if found.size != (width, height):
            found = found.resize((width, height), Image.Resampling.BILINEAR)
    except FAULTS as error:
        raise FileRefused(f"{name!r}: is damaged: {str(error)[:120]}.") from error
    return np.asarray(found, np.uint8).reshape(height, width, channels)
