"""A configuration as inputs, and back. An input's name is the path of its value, as the kernels
name it in what they refuse: `architecture.layers[2].params.units`.

Which inputs there are is the kernels' vocabulary; what a text means depends on the field that it is
for, and what makes no sense there stays a text, so that the kernels say what is wrong with it.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from kernels.architecture import DEFAULTS, INPUT, LAYERS_LIMIT, OPTIONS, SECOND, ends
from kernels.data import DataShape
from kernels.fields import Choice, Field, Flag, Powers, Real, Reals, Sides, Whole
from kernels.layers import VOCABULARY, Word
from kernels.settings import (
    AUGMENTATION,
    DIVERGENT,
    FIELDS,
    PATTERNS,
    REQUIRED,
    SCHEDULE,
    SECTIONS,
    Augmentation,
    Schedule,
    Settings,
)

Config = dict[str, Any]
Texts = Mapping[str, str]

WORDS: Mapping[str, Word] = {"input": INPUT} | VOCABULARY
LOSS = Choice(())  # which losses there are depends on the data
TRAINING: Mapping[str, Field] = {key: FIELDS[key] for key in REQUIRED} | {"loss": LOSS} | FIELDS
EXPLORATION: Config = {"pattern": PATTERNS[0], "factor": 0.3}  # where nothing is said of it
ROW = re.compile(r"architecture\.(layers|decoder|discriminator)\[(\d{1,3})\]\.type")
WHOLE = re.compile(r"[+-]?\d{1,30}")
NUMBER = re.compile(r"[+-]?(\d{1,30}\.?\d{0,30}|\.\d{1,30})([eE][+-]?\d{1,3})?")


class NotComposable(ValueError):
    """A configuration that no list of inputs can show; the kernels know what is wrong with it."""


# ------------------------------------------------------------------------------ values and texts


def value_of(field: Field, text: str) -> Any:
    """What a text means where such a field is; the text itself where it means nothing there."""
    text = text.strip()
    match field:
        case Flag():
            return {"true": True, "": False, "false": False}.get(text, text)
        case Sides() | Reals():
            parts = [part for part in re.split(r"[\s,×x\[\]]+", text) if part]
            each = field.side if isinstance(field, Sides) else field.number
            found = [value_of(each, part) for part in parts]
            return text if not found or any(isinstance(one, str) for one in found) else found
        case Whole() | Powers():
            return int(text) if WHOLE.fullmatch(text) else number_of(text)
        case Real():
            return int(text) if WHOLE.fullmatch(text) else number_of(text)
    return text


def number_of(text: str) -> float | str:
    if NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def text_of(value: Any) -> str:
    """A value as its input shows it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else ""
    if isinstance(value, list) and all(isinstance(one, int | float) for one in value):
        return ", ".join(map(text_of, value))
    return json.dumps(value)


def usual(field: Field, value: Any) -> str:
    """What an input shows where nothing is said; nothing where the usual value means "none"."""
    return text_of(value) if value is not None and field.refusal(value) is None else ""


# --------------------------------------------------------------------------- from texts to a config


def config_of(texts: Texts) -> Config:
    """The configuration that a form's inputs say."""
    return {
        "architecture": architecture_of(texts),
        "training": training_of(texts),
        "divergent": divergent_of(texts),
    }


def architecture_of(texts: Texts) -> Config:
    kind = texts.get("architecture.type", "")
    found: Config = {"type": kind, "layers": list(rows_of(texts, "layers"))}
    for key, field in OPTIONS.get(kind, {}).items():
        value = value_of(field, texts.get(f"architecture.{key}", ""))
        if value not in ("", DEFAULTS[key]):
            found[key] = value
    second = list(rows_of(texts, SECOND[kind])) if kind in SECOND else []
    return found | ({SECOND[kind]: second} if second else {})


def rows_of(texts: Texts, name: str) -> Iterator[Config]:
    found = [match for key in texts if (match := ROW.fullmatch(key)) and match[1] == name]
    for number in sorted({int(match[2]) for match in found}):
        path = f"architecture.{name}[{number}]"
        yield layer_of(texts[f"{path}.type"], texts, f"{path}.params.")


def layer_of(kind: str, texts: Texts, prefix: str) -> Config:
    """A layer with all that is filled in; flags only where they are set."""
    params = {}
    for key, field in (WORDS[kind].fields if kind in WORDS else {}).items():
        value = value_of(field, texts.get(f"{prefix}{key}", ""))
        if value not in ("", False) or (value == 0 and not isinstance(value, bool)):
            params[key] = value
    return {"type": kind} | ({"params": params} if params else {})


def training_of(texts: Texts) -> Config:
    """What must be said, and what is not as usual."""
    found = {}
    for key, field in TRAINING.items():
        value = value_of(field, texts.get(f"training.{key}", ""))
        if value != "" and (key in REQUIRED or value != getattr(Settings, key, None)):
            found[key] = value
    if schedule := changed_of(texts, "training.schedule", SCHEDULE, Schedule):
        found["schedule"] = {"kind": Schedule.kind} | schedule
    if augmentation := changed_of(texts, "training.augmentation", AUGMENTATION, Augmentation):
        found["augmentation"] = augmentation
    return found


def changed_of(texts: Texts, path: str, fields: Mapping[str, Field], defaults: type) -> Config:
    """Of a section what is not as usual."""
    said = {key: value_of(field, texts.get(f"{path}.{key}", "")) for key, field in fields.items()}
    return {key: value for key, value in said.items() if value not in ("", getattr(defaults, key))}


def divergent_of(texts: Texts) -> Config:
    fields: dict[str, Field] = {"enabled": Flag()} | DIVERGENT
    said = {key: value_of(of, texts.get(f"divergent.{key}", "")) for key, of in fields.items()}
    return {key: value for key, value in said.items() if value != ""}


# --------------------------------------------------------------------------- from a config to texts


def texts_of(config: object) -> dict[str, str]:
    """The inputs' texts that say this. Raises NotComposable where it has what no input can show."""
    root = section(config, ("architecture", "training", "divergent"))
    found: dict[str, str] = {}
    architecture = root.get("architecture", {})
    kind = architecture.get("type") if isinstance(architecture, Mapping) else None
    kind = kind if isinstance(kind, str) else ""
    second = (SECOND[kind],) if kind in SECOND else ()
    known = ("type", *OPTIONS.get(kind, {}), "layers", *second)
    for key, value in section(architecture, known).items():
        if key in ("layers", *second):
            found |= texts_of_rows(value, f"architecture.{key}")
        else:
            found[f"architecture.{key}"] = text_of(value)
    training = section(root.get("training", {}), (*TRAINING, *SECTIONS))
    schedule = section(training.pop("schedule", {}), tuple(SCHEDULE))
    augmentation = section(training.pop("augmentation", {}), tuple(AUGMENTATION))
    divergent = EXPLORATION | section(root.get("divergent", {}), ("enabled", *DIVERGENT))
    for name, said in (
        ("training", training),
        ("training.schedule", schedule),
        ("training.augmentation", augmentation),
        ("divergent", divergent),
    ):
        found |= {f"{name}.{key}": text_of(value) for key, value in said.items()}
    return found


def texts_of_rows(listed: object, path: str) -> dict[str, str]:
    if not isinstance(listed, list) or len(listed) > LAYERS_LIMIT:
        raise NotComposable
    found = {}
    for number, raw in enumerate(listed):
        kind = raw.get("type") if isinstance(raw, Mapping) else None
        if not isinstance(kind, str):
            raise NotComposable
        flat = {key: value for key, value in raw.items() if key not in ("type", "params")}
        if "params" in raw and flat:
            raise NotComposable
        said = section(raw.get("params", flat), tuple(WORDS[kind].fields if kind in WORDS else ()))
        found[f"{path}[{number}].type"] = kind
        found |= {f"{path}[{number}].params.{key}": text_of(value) for key, value in said.items()}
    return found


def section(raw: object, known: tuple[str, ...]) -> Config:
    if not isinstance(raw, Mapping) or not set(raw) <= set(known):
        raise NotComposable
    return dict(raw)


def composed(config: object) -> Config:
    """The same configuration as the inputs would say it. Raises NotComposable."""
    return config_of(texts_of(config))


def digest(config: Config) -> str:
    """Tells configurations apart."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()[:16]


# ----------------------------------------------------------------------------------------- editing


STARTS: Mapping[str, Any] = {  # of what must be said, where the data do not say it
    "units": 64,
    "size": 64,
    "filters": 16,
    "kernel_size": 3,
    "pool_size": 2,
    "rate": 0.2,
    "function": "relu",
    "heads": 2,
    "hidden_dim": 64,
    "ff_dim": 64,
    "embed_dim": 32,
}


def edited(config: Config, action: str, kind: str, data: DataShape) -> tuple[Config, str]:
    """The configuration after a button such as `up.layers.2` or `add.decoder`, and where a person
    goes on: the act and the path of a layer, or nothing where the act makes no sense.
    """
    act, name, number = (action.split(".") + ["", ""])[:3]
    architecture = config["architecture"]
    rows = list(architecture.get(name) or ())
    at = int(number) if number.isdecimal() and len(number) < 4 else -1
    known = name == "layers" or name == SECOND.get(architecture["type"])
    if not known or (act != "add" and not 0 <= at < len(rows)):
        return config, ""
    if act == "add" and kind in WORDS:
        ends = bool(rows) and rows[-1]["type"] == "output" and kind != "output"
        at = 0 if kind == "input" else len(rows) - ends
        rows.insert(at, fresh(kind, data))
    else:
        at = changed(rows, act, at)
    architecture = {key: value for key, value in architecture.items() if key != name}
    architecture |= {name: rows} if rows or name == "layers" else {}
    return config | {"architecture": architecture}, f"{act} architecture.{name}[{at}]"


def changed(rows: list[Config], act: str, at: int) -> int:
    """Change the rows in place; the place where to go on."""
    match act:
        case "copy":
            at += 1
            rows.insert(at, rows[at - 1])
        case "remove":
            del rows[at]
            at = min(at, len(rows) - 1)
        case "up" if at > 0:
            rows[at - 1 : at + 1] = rows[at], rows[at - 1]
            at -= 1
        case "down" if at + 1 < len(rows):
            rows[at : at + 2] = rows[at + 1], rows[at]
            at += 1
    return at


def fresh(kind: str, data: DataShape) -> Config:
    """A layer as it is added: the usual values, and for the rest a start."""
    starts = dict(STARTS) | {"vocab_size": data.vocabulary or 1_000, "shape": list(data.input)}
    starts |= {"input": {"size": data.features}, "output": {"size": ends(data)[1]}}.get(kind, {})
    word = WORDS[kind]
    params = {
        key: value
        for key, value in {**starts, **word.defaults}.items()
        if key in word.fields
        and value not in (None, False, "")
        and word.fields[key].refusal(value) is None
    }
    return {"type": kind} | ({"params": params} if params else {})
