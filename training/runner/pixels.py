"""Pictures as people bring them, made alike: what a network is shown of a file, whether it comes in
a zip to be trained on or alone to be asked about.

Turned as its camera says; what shines through is white; 16 bits of grey become 8; colours of any
kind become red, green and blue. A picture that moves is refused: which moment of it is meant?

Pillow meets files of strangers here, so it does in a process with bounds of its own: the one that
reads a zip, or `python -m training.runner.pixels HEIGHT WIDTH CHANNELS` (see `pictures`).
"""

import io
import json
import os
import resource
import struct
import sys
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from training.runner.pictures import LENGTH_BYTES, SECONDS_MAX, PictureRefused, Size

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM")
PIXELS_MAX = 16_000_000  # of one picture as it came
DEEP = ("I", "I;16", "I;16B", "I;16L", "I;16N", "F")  # grey of more than 8 bits
GREY = ("1", "L", "LA", *DEEP)
TRANSPARENT = ("RGBA", "LA", "PA", "RGBa", "La")
ORIENTATION, LYING = 0x0112, (5, 6, 7, 8)  # of EXIF
FAULTS = (
    struct.error,
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
MEMORY_BYTES_MAX = 2**30


def open_picture(content: bytes) -> Image.Image:
    """A picture whose header was read, and nothing more. Raises PictureRefused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except FAULTS as error:
        known = ", ".join(FORMATS)
        raise PictureRefused(f"is no picture that is read here ({known}).") from error
    if picture.width * picture.height > PIXELS_MAX:
        raise PictureRefused(
            f"is {picture.width:,} × {picture.height:,} pixels; at most {PIXELS_MAX:,} in all. "
            "Make it smaller."
        )
    return picture


def is_grey(picture: Image.Image) -> bool:
    return picture.mode in GREY


def size_of(picture: Image.Image) -> tuple[int, int]:
    """Height and width, once it is upright."""
    try:
        lies = picture.getexif().get(ORIENTATION) in LYING
    except FAULTS as error:
        raise damaged(error) from error
    return (picture.width, picture.height) if lies else (picture.height, picture.width)


def damaged(error: Exception) -> PictureRefused:
    return PictureRefused(f"is damaged: {str(error)[:120]}.")


def pixels_of(picture: Image.Image, size: Size) -> NDArray[np.uint8]:
    """uint8 of this (height, width, channels), by Pillow's bilinear filter. Raises
    PictureRefused.
    """
    height, width, channels = size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about colours that nothing here depends on
            if getattr(picture, "is_animated", False):
                raise PictureRefused("moves; bring the pictures of it that are meant as files.")
            found = ImageOps.exif_transpose(plain(picture)).convert("L" if channels == 1 else "RGB")
        if found.size != (width, height):
            found = found.resize((width, height), Image.Resampling.BILINEAR)
    except PictureRefused:
        raise
    except FAULTS as error:
        raise damaged(error) from error
    return np.asarray(found, np.uint8).reshape(height, width, channels)


def plain(picture: Image.Image) -> Image.Image:
    """Eight bits a channel, on white."""
    if picture.mode in DEEP:
        return shallow(picture)
    if picture.mode not in TRANSPARENT and "transparency" not in picture.info:
        return picture
    seen = picture.convert("RGBA")
    white = Image.new("RGBA", seen.size, "white")
    white.alpha_composite(seen)
    white.info |= {"exif": picture.info["exif"]} if "exif" in picture.info else {}
    return white


def shallow(picture: Image.Image) -> Image.Image:
    """The upper 8 of 16 bits, which Pillow would cut off instead of the lower ones."""
    values = np.asarray(picture, np.float64)
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 0xFFFF):
        raise PictureRefused("holds numbers that are no grey of 16 bits; save it with 8.")
    found = Image.fromarray((values / 256).astype(np.uint8))
    found.info |= {"exif": picture.info["exif"]} if "exif" in picture.info else {}
    return found


def work(size: Size) -> None:
    """Pictures come in, each behind its length; their pixels go out, or an object that says why
    not, and which by how the process ends: as bytes alone, one may look like the other.
    """
    found, asked = [], sys.stdin.buffer
    try:
        while len(length := asked.read(LENGTH_BYTES)) == LENGTH_BYTES:
            content = asked.read(int.from_bytes(length, "little"))
            found.append(pixels_of(open_picture(content), size).tobytes())
    except PictureRefused as error:
        sys.stdout.write(json.dumps({"refused": str(error), "at": len(found)}))
        sys.exit(os.EX_DATAERR)
    sys.stdout.buffer.write(b"".join(found))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS_MAX, SECONDS_MAX))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    work((int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
