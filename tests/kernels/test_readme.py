"""The README of the compute core says what the code takes: its examples are read, its tables held
to the vocabulary."""

import dataclasses
import json
import re
from pathlib import Path

import pytest

from kernels import architecture, config, settings
from kernels.commands.command import EXAMPLE
from kernels.data import DataShape, Target
from kernels.layers import VOCABULARY

TEXT = (Path(__file__).parents[2] / "kernels" / "README.md").read_text(encoding="utf-8")
WHOLE, LISTED = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
ARCHITECTURES = [json.loads(line) for line in LISTED.splitlines()]
SHAPES = [
    DataShape((28, 28, 1), Target.CLASSES, 10),
    DataShape((24, 8), Target.CLASSES, 10),
    DataShape((32,), Target.NEXT, 10, 100),
    DataShape.table(64, 10),
    DataShape.table(64, 10),
]


def said(value):
    if value is None:
        return "`pool_size`"
    return (value or "by the data") if isinstance(value, str) else json.dumps(value)


def layer_rows():
    for name, word in VOCABULARY.items():
        must = ", ".join(f"`{key}`" for key in word.fields if key not in word.defaults)
        may = ", ".join(f"`{key}` = {said(value)}" for key, value in word.defaults.items())
        yield f"| `{name}` | {must or '-'} | {may or '-'} |"


def setting_rows():
    usual = {field.name: field.default for field in dataclasses.fields(settings.Settings)}
    for name, kind in settings.FIELDS.items():
        if name == "optimizer":
            text = f"must be said: {', '.join(f'`{known}`' for known in kind.known)}"
        elif name in settings.REQUIRED:
            text = f"must be said: {kind.low:,} to {kind.high:,}"
        elif name == "class_weights":
            text = "each class weighs the same"
        else:  # what may not be written means that there is none
            text = "none" if kind.refusal(usual[name]) else said(usual[name])
        yield f"| `{name}` | {text} |"


def test_the_whole_example_is_the_default_with_exploration():
    raw = json.loads(WHOLE)
    found = config.parse(raw, DataShape.table(64, 10))
    usual = config.parse(EXAMPLE, DataShape.table(64, 10))
    assert found.divergent is not None
    assert dataclasses.replace(found, divergent=None) == usual


def test_an_architecture_of_each_kind_is_shown():
    assert {raw["type"] for raw in ARCHITECTURES} == set(architecture.ARCHITECTURES)


@pytest.mark.parametrize(("raw", "shape"), list(zip(ARCHITECTURES, SHAPES, strict=True)))
def test_the_architectures_shown_are_read(raw, shape):
    found = config.parse({**EXAMPLE, "architecture": raw}, shape)
    assert found.architecture.kind == raw["type"]
    assert len(found.parameters) > 1


def test_the_tables_are_those_of_the_code():
    lines = TEXT.splitlines()
    for row in (*layer_rows(), *setting_rows()):
        assert row in lines
    names = {match[1] for line in lines if (match := re.match(r"\| `(\w+)` \| .* \| .* \|$", line))}
    assert names == set(VOCABULARY)
