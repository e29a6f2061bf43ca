"""The model file: one `.safetensors` with the network in use and everything needed to use it.

Its arrays are the weights and what standardises a row; its texts the graph (forward.py), the
signature (what goes in and comes out), the configuration it was trained by, if it was trained here,
and the provenance.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels import config as configuration
from kernels import forward, tensors
from kernels.config import ConfigError, NetworkConfig
from kernels.data import DataShape, Target
from kernels.forward import Forward
from kernels.graph import Shape
from kernels.graphfields import GraphRefused
from kernels.tensors import ModelRefused

FORMAT = "neural-marketplace/2"
NAMES_LIMIT = 1_000_000
RECIPE_LIMIT_BYTES = 512 * 1024
SIDES_LIMIT = 3  # of an example: height, width, channels
NOT_TRAINED = ("input.", "target.")  # what was measured on the data
Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Signature:
    """What goes in and what comes out: names of features, names of classes or values, for pictures
    (height, width), for texts the vocabulary. `recipe` is a JSON object that says how what people
    write becomes a row; it is kept for who wrote it and means nothing here.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    image_shape: tuple[int, int] | None = None
    vocabulary: tuple[str, ...] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Without a recipe as it was before there were any, and so with the same hash."""
        found = dict(vars(self))
        recipe = found.pop("recipe")
        return found | ({"recipe": dict(recipe)} if recipe else {})


@dataclass(frozen=True)
class Model:
    """A network in use. `graph` is that of forward.py; `arrays` are its parameters."""

    graph: Mapping[str, Any]
    signature: Signature
    arrays: Arrays
    provenance: Mapping[str, Any] = field(default_factory=dict)
    config: NetworkConfig | None = None

    def forward(self, rows: int) -> Forward:
        """The graph for so many rows. Raises ModelRefused."""
        try:
            return forward.from_json(self.graph, rows)
        except GraphRefused as error:
            raise ModelRefused(f"graph: {error}") from error

    @property
    def weights(self) -> Arrays:
        """The arrays that were trained, without those that were measured."""
        return {n: array for n, array in self.arrays.items() if not n.startswith(NOT_TRAINED)}


def dump(model: Model) -> bytes:
    """The file. Raises ModelRefused where the parts do not belong together."""
    check(model)
    texts = {
        "format": FORMAT,
        "graph": tensors.canonical(model.graph),
        "signature": tensors.canonical(model.signature.to_json()),
        "provenance": tensors.canonical(dict(model.provenance)),
    }
    if model.config is not None:
        whole = {"data": model.config.data.to_json(), **model.config.to_json()}
        texts["config"] = tensors.canonical(whole)
    return tensors.write(model.arrays, texts)


def load(blob: bytes) -> Model:
    """The model in a file from anywhere. Raises ModelRefused."""
    arrays, texts = tensors.read(blob)
    if texts.get("format") != FORMAT:
        raise ModelRefused(f"format: must be {FORMAT!r}, not {texts.get('format')!r}")
    provenance = tensors.parse_json(texts.get("provenance", ""), "provenance")
    if not isinstance(provenance, dict):
        raise ModelRefused("provenance: must be an object")
    model = Model(
        graph=tensors.parse_json(texts.get("graph", ""), "graph"),
        signature=read_signature(tensors.parse_json(texts.get("signature", ""), "signature")),
        arrays=arrays,
        provenance=provenance,
        config=read_config(tensors.parse_json(texts["config"], "config"))
        if "config" in texts
        else None,
    )
    check(model)
    return model


def check(model: Model) -> None:
    """ModelRefused unless the arrays are the graph's parameters and every number is finite."""
    expected = model.forward(1).parameters
    if set(model.arrays) != set(expected):
        wrong = sorted(set(model.arrays) ^ set(expected))[:5]
        raise ModelRefused(f"tensors: missing or not of this network: {', '.join(wrong)}")
    check_names(model)
    for name, array in model.arrays.items():
        shape, dtype = expected[name].shape, {"f4": "float32", "i1": "int8"}[expected[name].dtype]
        if array.shape != shape or array.dtype != dtype:
            raise ModelRefused(f"{name}: must be {dtype} {shape}, not {array.dtype} {array.shape}")
        if not np.isfinite(array).all():
            raise ModelRefused(f"{name}: holds numbers that are not finite")
        if name.endswith(".scale") and name.startswith(NOT_TRAINED) and not (array > 0).all():
            raise ModelRefused(f"{name}: must be greater than zero")


def fitting(model: Model, shapes: Mapping[str, Shape]) -> set[str]:
    """The names whose arrays in a model have these shapes, as numbers that can be trained on."""
    return {
        name
        for name, shape in shapes.items()
        if name in model.arrays
        and model.arrays[name].shape == shape
        and model.arrays[name].dtype == np.float32
    }


def check_names(model: Model) -> None:
    """ModelRefused unless there is a name for each number or token of a row, and each answer."""
    unit = model.forward(1)
    given, answer = next(iter(unit.inputs.values())), next(iter(unit.outputs.values()))
    wanted = {"classes": (answer.shape or (0,))[-1]}
    if given.dtype == "f4":
        wanted["features"] = given.elements
    check_recipe(model.signature.recipe)
    for part, size in wanted.items():
        names = getattr(model.signature, part)
        if names and len(names) != size:
            raise ModelRefused(f"signature.{part}: must be {size} names, not {len(names)}")
    if given.dtype == "u4" and model.signature.vocabulary:
        # a table may know more tokens than there are words; but what is written has a name
        most = forward.vocabulary(unit, given)
        least = (answer.shape or (0,))[-1] if foretells(model, unit) else 1
        found = len(model.signature.vocabulary)
        if not least <= found <= most:
            raise ModelRefused(
                f"signature.vocabulary: must be {least:,} to {most:,} names, not {found:,}"
            )


def check_recipe(recipe: Mapping[str, Any]) -> None:
    try:
        size_bytes = len(tensors.canonical(dict(recipe)).encode())
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelRefused("signature.recipe: must be JSON of finite numbers") from error
    if size_bytes > RECIPE_LIMIT_BYTES:
        raise ModelRefused(
            f"signature.recipe: {size_bytes:,} bytes; at most {RECIPE_LIMIT_BYTES:,}"
        )


def foretells(model: Model, unit: Forward) -> bool:
    """Whether it answers each token of a row with chances for the next. `unit` is for one row."""
    given, answer = next(iter(unit.inputs.values())), next(iter(unit.outputs.values()))
    shape = answer.shape or ()
    if given.dtype != "u4" or len(given.shape or ()) != 2 or shape[:-1] != given.shape:
        return False
    if model.config is not None:
        return model.config.data.target is Target.NEXT
    return shape[-1] == forward.vocabulary(unit, given)


def read_config(raw: Any) -> NetworkConfig:
    if not isinstance(raw, dict) or not isinstance(raw.get("data"), dict):
        raise ModelRefused("config: must be an object with data")
    rest = {key: value for key, value in raw.items() if key != "data"}
    try:
        return configuration.parse(rest, read_shape(raw["data"]))
    except ConfigError as error:
        raise ModelRefused(f"config: {error}") from error


def read_shape(raw: Mapping[str, Any]) -> DataShape:
    sides, size = raw.get("input"), raw.get("size")
    vocabulary, target = raw.get("vocabulary", 0), raw.get("target")
    if not isinstance(sides, list) or not 1 <= len(sides) <= SIDES_LIMIT:
        raise ModelRefused(f"config.data.input: must be a list of 1 to {SIDES_LIMIT} sizes")
    for key, least, numbers in (
        ("input", 1, sides),
        ("size", 1, [size]),
        ("vocabulary", 0, [vocabulary]),
    ):
        if not all(type(n) is int and least <= n <= NAMES_LIMIT for n in numbers):
            raise ModelRefused(f"config.data.{key}: must be from {least} to {NAMES_LIMIT:,}")
    if target not in list(Target):
        raise ModelRefused(f"config.data.target: must be one of {', '.join(Target)}")
    return DataShape(tuple(sides), Target(target), int(size or 0), vocabulary)


def read_signature(raw: Any) -> Signature:
    if not isinstance(raw, dict):
        raise ModelRefused("signature: must be an object")
    names = {key: raw.get(key, []) for key in ("features", "classes", "vocabulary")}
    for key, value in names.items():
        if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
            raise ModelRefused(f"signature.{key}: must be a list of names")
    shape = raw.get("image_shape")
    if shape is not None and not (
        isinstance(shape, list)
        and len(shape) == 2
        and all(type(side) is int and side >= 1 for side in shape)
    ):
        raise ModelRefused("signature.image_shape: must be [height, width], from 1 on, or null")
    recipe = raw.get("recipe", {})
    if not isinstance(recipe, dict):
        raise ModelRefused("signature.recipe: must be an object")
    features = tuple(names["features"])
    if shape is not None and len(features) % (shape[0] * shape[1]):
        raise ModelRefused(f"signature.image_shape: {shape} has not {len(features)} pixels")
    return Signature(
        features,
        tuple(names["classes"]),
        None if shape is None else (shape[0], shape[1]),
        tuple(names["vocabulary"]),
        recipe,
    )


def weights_sha256(weights: Arrays) -> str:
    """SHA-256 of names, shapes and little-endian bits of the arrays, by name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = weights[name]
        digest.update(f"{name} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
