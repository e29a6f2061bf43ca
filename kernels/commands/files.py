"""The files that commands read and write, and rows and tokens from standard input.

Whatever a person hands over is answered in a sentence that names the file. What is there already is
never written over unless `--force` is said, and what was read never.
"""

import argparse
import json
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import modelfile, tensors
from kernels.data import DataError
from kernels.modelfile import Model
from kernels.tensors import ModelRefused

DIGITS_LIMIT = 19  # of a whole number that NumPy still counts with; longer ones are read as floats


def read_json(path: Path) -> Any:
    """Raises DataError."""
    return parse_json(path.read_bytes(), str(path))


def read_input() -> Any:
    """What standard input says, in JSON. Raises DataError."""
    if sys.stdin is None:
        raise DataError("standard input: is closed; hand over JSON")
    try:
        text = sys.stdin.read()
    except UnicodeDecodeError as error:
        raise DataError("standard input: must be UTF-8") from error
    return parse_json(text, "standard input")


def parse_json(text: str | bytes, where: str) -> Any:
    try:
        plain = text if isinstance(text, str) else text.decode("utf-8-sig")
        return json.loads(plain, parse_int=whole)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: must be JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(f"{where}: must be JSON, and is not from {place} on") from error
    except RecursionError as error:
        raise DataError(f"{where}: must be JSON that is not nested as deeply") from error


def whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= DIGITS_LIMIT else float(digits)


def read_rows(model: Model) -> NDArray[Any]:
    """Rows from standard input: a list of them, or an object with them under `rows`.

    Raises DataError.
    """
    raw = read_input()
    listed = raw.get("rows") if isinstance(raw, dict) else raw
    if not isinstance(listed, list):
        raise DataError("standard input: must be a list of rows, or an object with it under 'rows'")
    try:
        rows = np.array(listed)
    except ValueError as error:
        raise DataError(
            "standard input: each row must hold as many numbers as the first"
        ) from error
    if rows.dtype.kind not in "iuf" or not rows.size:
        raise DataError("standard input: must be at least one row, and rows must hold numbers")
    shape = next(iter(model.forward(1).inputs.values())).shape or ()
    return rows.reshape(len(rows), *shape[1:]) if rows.size == len(rows) * size(shape) else rows


def size(shape: Sequence[int]) -> int:
    return int(np.prod(shape[1:]))


def read_tokens(vocabulary: int) -> list[int]:
    found = read_input()
    is_tokens = isinstance(found, list) and all(type(token) is int for token in found)
    if not is_tokens or not all(0 <= token < vocabulary for token in found):
        raise DataError(f"standard input: must be a list of tokens from 0 to {vocabulary - 1}")
    return list(found)


def read_blob(path: Path) -> bytes:
    """The bytes of a model file. Raises ModelRefused where it is another kind of file."""
    blob = path.read_bytes()
    if not is_safetensors(blob):
        raise ModelRefused(f"{path}: is no model file, which is one .safetensors")
    texts = tensors.read_header(blob).get("__metadata__", {})
    if isinstance(texts, dict) and "format" not in texts:
        raise ModelRefused(
            f"{path}: is no model file: it holds weights and no network; `import` it with --config"
        )
    return blob


def read_model(path: Path) -> Model:
    return modelfile.load(read_blob(path))


def is_safetensors(blob: bytes) -> bool:
    """Whether bytes begin as such a file does: a length that can be, and a brace."""
    return blob[8:9] == b"{" and struct.unpack("<Q", blob[:8])[0] <= len(blob) - 8


def is_model(path: Path) -> bool:
    """Whether a file is a model and no configuration: JSON begins with a brace at once."""
    with path.open("rb") as file:
        return not file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


# ----------------------------------------------------------------------------------------- writing


def force_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="write over a file that is there")


def check_target(path: Path, asked: argparse.Namespace, *sources: Path) -> Path:
    """The file to write to, looked at before the work begins. Raises DataError."""
    if any(path.resolve() == source.resolve() for source in sources):
        raise DataError(f"{path}: is what is read; name another file to write to")
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a file in it")
    if not path.parent.is_dir():
        raise DataError(f"{path}: there is no folder {path.parent}; make it first")
    if path.exists() and not asked.force:
        raise DataError(f"{path}: is there already; name another file, or say --force")
    return path


def write(path: Path, content: bytes) -> Mapping[str, Any]:
    path.write_bytes(content)
    return {"file": str(path), "bytes": len(content)}
