"""Reads what somebody brought, in a process of its own: `python -m training.runner.reading FOLDER`.

A file from anywhere meets parsers of somebody else's here. Should one of them crash, spin or ask
for all memory, this process ends and its worker lives on. It has no settings, no database and no
secrets: the folder holds `upload` and `ask.json`, and in the end `answer.json` and, unless the
file was refused, `rows.safetensors`. It is read to train on, or, where `ask` has the recipes of
models, to ask these.
"""

import json
import math
import re
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from training.runner.preparation import prepare
from training.runner.readers import Bounds, FileRefused, read
from training.runner.recipes import Form, Recipe, RecipeRefused, RowRefused, Split, SplitRefused
from training.runner.rows import pack
from training.runner.sheets import RowsRefused, read_sheet

MEMORY_BYTES_MAX = 6 * 2**30  # of addresses, of which libraries reserve some that they never use
CPU_SECONDS_MAX = 300
FILE_BYTES_MAX = 2 * 2**30
NO_CHARACTER = re.compile(r"\\u0000|[\ud800-\udfff]")  # in JSON: NUL, half of a pair
REFUSALS = (FileRefused, RecipeRefused, SplitRefused)


def limit() -> None:
    """From here on, whatever the file does."""
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY_BYTES_MAX),
        (resource.RLIMIT_CPU, CPU_SECONDS_MAX),
        (resource.RLIMIT_FSIZE, FILE_BYTES_MAX),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))


def answer(upload: Path, ask: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What is to be written to the dataset's row, and its rows; or why the file is refused."""
    try:
        recipe = Recipe.from_json(ask["recipe"]) if ask["recipe"] else None
        split = Split.from_json(ask["split"]) if ask["split"] else None
        bounds = Bounds(**ask["bounds"])
        is_images = recipe is not None and recipe.kind is Form.IMAGES
        size = (recipe.height, recipe.width, recipe.channels) if recipe and is_images else None
        content = read(upload, ask["format"], bounds, size=size)
        prepared = prepare(content, bounds, recipe=recipe, split=split)
    except RowRefused as error:
        where = f"row {error.row + 1:,}, column {error.column!r}"
        return refusal(f"{where}: {error.reason}."), b""
    except REFUSALS as error:
        return refusal(str(error)), b""
    except MemoryError:
        return refusal("needs more memory than a reader has; bring fewer rows."), b""
    fields = prepared.fields()
    if why := unstorable(fields):
        return refusal(why), b""
    return {"fields": fields}, pack(prepared.rows)


def answer_sheet(upload: Path, ask: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The rows as each of the recipes has them, or which of them are none, and why."""
    try:
        recipes = [Recipe.from_json(each) for each in ask["recipes"]]
        fields, rows = read_sheet(read(upload, ask["format"], Bounds(**ask["bounds"])), recipes)
    except RowsRefused as error:
        problems = [each | {"reason": printable(each["reason"])} for each in error.problems]
        return refusal(str(error)) | {"problems": problems}, b""
    except REFUSALS as error:
        return refusal(str(error)), b""
    except MemoryError:
        return refusal("needs more memory than a reader has; bring fewer rows."), b""
    return {"fields": fields}, rows


def refusal(reason: str) -> dict[str, Any]:
    return {"refused": printable(reason)}


def printable(text: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in text)


def unstorable(fields: dict[str, Any]) -> str:
    """Why no database keeps them; nothing where it does. It takes no number that is not finite, no
    NUL and no half of a surrogate pair.
    """
    for path, number in not_finite(fields):
        return (
            f"gives {number} for {path}, which is no number; its values lie too far apart to "
            "reckon with. Bring them in another unit, or leave out what is far off."
        )
    if NO_CHARACTER.search(json.dumps(fields, ensure_ascii=False)):
        return "holds a character that is none; write the file anew as UTF-8."
    return ""


def not_finite(found: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Where among fields a number is not finite; what has a name is called by it."""
    if isinstance(found, float) and not math.isfinite(found):
        yield path, found
    elif isinstance(found, Mapping):
        for key, inner in found.items():
            yield from not_finite(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(found, list | tuple):
        for place, inner in enumerate(found):
            name = inner.get("name", place) if isinstance(inner, Mapping) else place
            yield from not_finite(inner, f"{path}[{name!r}]")


def work(folder: Path) -> None:
    ask = json.loads((folder / "ask.json").read_text())
    found, rows = (answer_sheet if "recipes" in ask else answer)(folder / "upload", ask)
    if rows:
        (folder / "rows.safetensors").write_bytes(rows)
    (folder / "answer.json").write_text(json.dumps(found))


if __name__ == "__main__":
    limit()
    work(Path(sys.argv[1]))
