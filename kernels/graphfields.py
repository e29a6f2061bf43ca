"""The fields of a graph in JSON from anywhere: each is what it must be, or refused by its place."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from kernels.graph import Node, Number, Shape, count

NAME = re.compile(r"[A-Za-z0-9._/-]{1,200}")
DIMENSIONS_LIMIT = 8
ELEMENTS_LIMIT = 2**30  # 4 GB, as much as a sandbox has addresses
FLOAT32_MOST = 3.4028234663852886e38


class GraphRefused(ValueError):
    """JSON that describes no forward pass of ours; the text names the node and the reason."""


def mapping(raw: object, place: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(raw, Mapping):
        raise GraphRefused(f"{place}: must be an object")
    unknown = sorted(str(key)[:40] for key in set(raw) - known)
    if unknown:
        raise GraphRefused(f"{place}: does not know {', '.join(unknown[:5])}")
    return raw


def items(fields: Mapping[str, Any], key: str, limit: int, place: str = "") -> Sequence[object]:
    found = fields.get(key)
    where = f"{place}: {key}" if place else key
    if not isinstance(found, list) or len(found) > limit:
        raise GraphRefused(f"{where}: must be a list of at most {limit:,}")
    return found


def name_in(fields: Mapping[str, Any], place: str, taken: Mapping[str, Node]) -> str:
    name = fields.get("name")
    if not isinstance(name, str) or not NAME.fullmatch(name) or name in taken:
        raise GraphRefused(f"{place}.name: must be letters, digits and ._/-, and stand once")
    return name


def shape_in(fields: Mapping[str, Any], place: str) -> Shape:
    found = fields.get("shape")
    is_shape = isinstance(found, list) and 1 <= len(found) <= DIMENSIONS_LIMIT
    if not is_shape or not all(type(n) is int and 1 <= n <= ELEMENTS_LIMIT for n in found or ()):
        raise GraphRefused(f"{place}: shape must be 1 to {DIMENSIONS_LIMIT} sizes from 1 on")
    shape = tuple(found or ())
    if count(shape) > ELEMENTS_LIMIT:
        raise GraphRefused(f"{place}: {shape} has more than {ELEMENTS_LIMIT:,} elements")
    return shape


def numbers_in(
    fields: Mapping[str, Any], key: str, place: str, kinds: Mapping[str, type]
) -> dict[str, Number]:
    """Values by name, of just these names; whole ones fit a word, the others a float32."""
    given = mapping(fields.get(key, {}), f"{place}.{key}", set(kinds))
    found: dict[str, Number] = {}
    for name, kind in kinds.items():
        value = given.get(name)
        if kind is int:
            is_good = type(value) is int and 0 <= value < 2**32
        else:
            is_good = type(value) in (int, float) and abs(value or 0) <= FLOAT32_MOST
        if not is_good:
            raise GraphRefused(f"{place}.{key}.{name}: must be a number of one word, not {value!r}")
        found[name] = int(value or 0) if kind is int else float(value or 0)
    return found
