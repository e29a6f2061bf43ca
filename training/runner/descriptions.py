"""What the file of a model says of itself, read from its head alone: its weights stay where they
are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kernels import forward, modelfile, tensors
from kernels.graph import Node
from kernels.modelfile import Signature
from kernels.tensors import ModelRefused
from training.runner import blobs
from training.runner.recipes import Recipe

LENGTH_BYTES = 8


@dataclass(frozen=True)
class Field:
    """One thing that goes in or comes out: its name, its kind in a word, and which values."""

    name: str
    kind: str
    values: Sequence[str] = ()


@dataclass(frozen=True)
class Description:
    """What a model's file says of itself."""

    signature: Signature
    graph: Mapping[str, Any]
    provenance: Mapping[str, Any]
    config: Mapping[str, Any]

    @cached_property
    def shapes(self) -> tuple[str, str]:
        """The shapes of one row and of its answer."""
        unit = forward.from_json(self.graph, 1)
        return sides(next(iter(unit.inputs.values()))), sides(next(iter(unit.outputs.values())))

    @property
    def inputs(self) -> list[Field]:
        """As people write a row, where the file says so; else as the network takes it."""
        recipe, signature = self.recipe, self.signature
        if signature.image_shape:
            height, width = signature.image_shape
            return [Field("picture", f"{height} × {width} pixels")]
        if recipe is not None and recipe.inputs:
            return [Field(c.name, c.kind.value, c.values) for c in recipe.inputs]
        if signature.vocabulary:
            kind = f"{self.shapes[0]} tokens of {len(signature.vocabulary):,}"
            return [Field("text", kind, signature.vocabulary)]
        if signature.features:
            return [Field(name, "number") for name in signature.features]
        return [Field("row", f"{self.shapes[0]} numbers")]

    @property
    def outputs(self) -> list[Field]:
        names = self.signature.classes
        answer = str(self.graph["outputs"][0]["name"]).replace("_", " ")
        if answer == "probabilities" and names:
            return [Field("class", f"one of {len(names)}, with the probability of each", names)]
        if names:
            return [Field(name, "number") for name in names]
        return [Field(answer, f"{self.shapes[1]} numbers")]

    @cached_property
    def recipe(self) -> Recipe | None:
        return Recipe.from_json(self.signature.recipe) if self.signature.recipe else None


def sides(node: Node) -> str:
    """The shape of one row, as it is read."""
    return " × ".join(f"{side:,}" for side in (node.shape or ())[1:]) or "1"


def describe(sha256: str) -> Description:
    """Raises BlobFault, and ModelRefused, GraphRefused or RecipeRefused for what is no model."""
    with blobs.open_blob(sha256) as file:
        start = file.read(LENGTH_BYTES)
        length = min(int.from_bytes(start, "little"), tensors.HEADER_LIMIT_BYTES)
        texts = tensors.read_header(start + file.read(length)).get("__metadata__", {})
    missing = {"graph", "signature", "provenance"} - set(texts)
    if missing:
        raise ModelRefused(f"{', '.join(sorted(missing))}: missing")
    read = {key: tensors.parse_json(text, key) for key, text in texts.items() if key != "format"}
    found = Description(
        signature=modelfile.read_signature(read["signature"]),
        graph=read["graph"],
        provenance=read["provenance"],
        config=read.get("config", {}),
    )
    assert found.shapes
    return found
