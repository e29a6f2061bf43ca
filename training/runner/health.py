"""What was found in the rows: how each column is spread, and what may spoil a model.

Every check says something: that all is well, a warning, or that the figures of a model trained on
these rows would not be believed.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from training.runner.findings import Finding, named
from training.runner.recipes import Column, Form, Kind, Recipe, Role
from training.runner.recipes import columns as columns_of
from training.runner.recipes.columns import category_text, encode_numbers, is_missing
from training.runner.rows import Part
from training.runner.schemas import TARGET_NAMES
from training.runner.series import each_series, series_numbers

BINS = 20
TOP = 20
FIRST_ROWS = 20
SHOWN_LENGTH_MAX = 200
COLUMNS_SHOWN_MAX = 200
IMBALANCE_WARN, IMBALANCE_BAD = 10, 100
MISSING_WARN, MISSING_BAD = 0.2, 0.6
LEAKED_BAD = 0.1  # of the rows that do not train
ROWS_FEW = 100
REPEATED_BAD = 0.5  # of the pieces of a text that do not train; short ones come again by nature
PERFECT = 0.99  # accuracy, or R², of one column alone
COMMON = 0.9  # a class so common is guessed as well
ROWS_TRIED_MAX = 20_000
LEAVES_MAX = 64
GAP = 1.75  # usual steps: months are of 28 to 31 days, and a day may have 25 hours


@dataclass(frozen=True, eq=False)
class Evidence:
    """`raw` are the columns as they came; features [rows, …], targets and parts as they are stored.
    `files` are the names of pictures, `stated` the columns of which a person said what stands in
    for a missing value, `findings` what was found before there were numbers.
    """

    recipe: Recipe
    raw: Mapping[str, Sequence[Any]]
    features: NDArray[Any]
    targets: NDArray[Any]
    parts: NDArray[np.int8]
    files: Sequence[str]
    stated: frozenset[str] = frozenset()
    findings: Sequence[Finding] = ()


def report_of(evidence: Evidence) -> dict[str, Any]:
    """Columns, health and the first rows, as JSON."""
    return {
        "columns": list(describe_columns(evidence)),
        "health": [vars(finding) for finding in findings(evidence)],
        "first_rows": first_rows(evidence),
    }


# Columns


def describe_columns(evidence: Evidence) -> Iterator[dict[str, Any]]:
    recipe = evidence.recipe
    if recipe.kind in (Form.IMAGES, Form.ARRAYS):
        name = recipe.features[0].name if recipe.features else "features"
        kind = "image" if recipe.kind is Form.IMAGES else "number"
        yield {
            "name": name,
            "kind": kind,
            "missing": 0,
            "unique": len(set(keys_of(evidence.features))),
            "histogram": histogram(evidence.features.ravel()),
        }
    for column in recipe.columns[:COLUMNS_SHOWN_MAX]:
        if column.name in evidence.raw:
            yield describe(column, evidence.raw[column.name])


def describe(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    there = [value for value in values if not is_missing(value)]
    found: dict[str, Any] = {
        "name": column.name,
        "kind": column.kind.value,
        "missing": len(values) - len(there),
        "unique": len(set(there)),
    }
    if column.kind in (Kind.NUMBER, Kind.DATE):
        try:
            return found | {"histogram": histogram(encode_numbers(column, there))}
        except columns_of.RowRefused:  # it is ignored, and somebody calls it what it is not
            pass
    counts = Counter(shown(category_text(value)) for value in there)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return found | {"top": dict(ranked[:TOP])}


def histogram(values: NDArray[Any]) -> dict[str, list[float]]:
    if not values.size:
        return {"edges": [], "counts": []}
    values = values.astype(np.float64)
    low, high = float(values.min()), float(values.max())
    edges = np.linspace(low, high, BINS + 1)
    if not (np.diff(edges) > 0).all():  # all the same, or nearer to one another than numbers are
        return {"edges": [low, high], "counts": [len(values)]}
    counts, _ = np.histogram(values, edges)
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def shown(text: str) -> str:
    return text if len(text) <= SHOWN_LENGTH_MAX else text[: SHOWN_LENGTH_MAX - 1] + "…"


def first_rows(evidence: Evidence) -> list[dict[str, Any]]:
    """The first rows as they came: of pictures the files, of arrays the targets."""
    raw = dict(evidence.raw)
    if evidence.files:
        raw = {"file": evidence.files, **raw}
    rows = min([FIRST_ROWS, *(len(values) for values in raw.values())])
    names = list(raw)[:COLUMNS_SHOWN_MAX]
    return [{name: cell(raw[name][row]) for name in names} for row in range(rows)]


def cell(value: Any) -> Any:
    if isinstance(value, str):
        return shown(value)
    return value.item() if isinstance(value, np.generic) else value


# Health


def findings(evidence: Evidence) -> Iterator[Finding]:
    yield from evidence.findings
    yield rows_enough(evidence)
    yield from repeated_rows(evidence)
    yield missing_values(evidence)
    if evidence.recipe.of_role(Role.IGNORED):
        yield ignored_columns(evidence.recipe)
    if evidence.recipe.kind is Form.TABLE or is_series_as_written(evidence):
        yield constant_columns(evidence)
    if evidence.recipe.kind is Form.TABLE:
        yield telling_columns(evidence)
    if is_series_as_written(evidence) and evidence.recipe.of_role(Role.TIME):
        yield gaps(evidence)
    if evidence.recipe.classes:
        yield class_balance(evidence)


def rows_enough(evidence: Evidence) -> Finding:
    train = int((evidence.parts == Part.TRAIN).sum())
    if train < ROWS_FEW:
        message = f"Only {train} rows train; figures will depend on which ones they are."
        return Finding("warn", "few_rows", message, train)
    return Finding("ok", "few_rows", f"{train:,} rows train.", train)


def keys_of(values: NDArray[Any]) -> list[int]:
    """A number for each row, the same for equal ones."""
    flat = np.ascontiguousarray(values.reshape(len(values), -1)) + 0  # −0 is 0
    return [hash(row.tobytes()) for row in flat]


def repeated_rows(evidence: Evidence) -> Iterator[Finding]:
    """Of rows with a target and of those that have none; not where rows are alike by nature."""
    if evidence.recipe.is_repetitive:
        if evidence.recipe.kind is Form.TEXT:
            yield repeated_pieces(evidence)
        return
    keys = keys_of(evidence.features)
    is_asked = bool(evidence.recipe.targets)
    whole = list(zip(keys, keys_of(evidence.targets) if is_asked else keys, strict=True))
    again = len(whole) - len(set(whole))
    if again:
        yield Finding("warn", "duplicates", f"{rows_of(again)} more than once in the table.", again)
    else:
        yield Finding("ok", "duplicates", "No row stands there twice.")
    leaked, others = leaked_of(keys, evidence.parts)
    if not leaked:
        yield Finding("ok", "leakage", "No row that validates or tests is one that trains.")
        return
    message = (
        f"{leaked:,} of the {others:,} rows that validate or test train, too: a network may "
        "know them by heart. Remove the copies, or split by group."
    )
    level = "bad" if leaked > LEAKED_BAD * others else "warn"
    yield Finding(level, "leakage", message, leaked)


def leaked_of(keys: Sequence[int], parts: NDArray[np.int8]) -> tuple[int, int]:
    """How many rows that do not train are one that does, and how many do not train."""
    trained = {key for key, part in zip(keys, parts, strict=True) if part == Part.TRAIN}
    others = [key for key, part in zip(keys, parts, strict=True) if part != Part.TRAIN]
    return sum(key in trained for key in others), len(others)


def repeated_pieces(evidence: Evidence) -> Finding:
    """Of running text: what is foretold word for word where it was trained on."""
    whole = np.concatenate([evidence.features, evidence.targets[:, -1:]], axis=1)
    leaked, others = leaked_of(keys_of(whole), evidence.parts)
    if not leaked:
        message = "No piece of the text that validates or tests is one that trains."
        return Finding("ok", "leakage", message)
    message = (
        f"{leaked:,} of the {others:,} pieces of the text that validate or test stand word for "
        "word among those that train: a network may know them by heart. Remove what the text "
        "says again, or make its pieces longer."
    )
    return Finding("bad" if leaked > REPEATED_BAD * others else "warn", "leakage", message, leaked)


def rows_of(count: int) -> str:
    return "1 row stands" if count == 1 else f"{count:,} rows stand"


def missing_values(evidence: Evidence) -> Finding:
    shares = {}
    for column in evidence.recipe.inputs:
        values = evidence.raw.get(column.name, ())
        lacking = sum(map(is_missing, values))
        if lacking:
            shares[column.name] = lacking / len(values)
    if not shares:
        return Finding("ok", "missing", "No feature lacks a value.")
    worst = max(shares.values())
    level = "bad" if worst > MISSING_BAD else "warn" if worst > MISSING_WARN else "ok"
    message = (
        f"{named(shares)}: up to {worst:.0%} of the values are missing. "
        f"{filled([name for name in shares if name in evidence.stated], len(shares))}"
    )
    return Finding(level, "missing", message, len(shares))


def filled(stated: Sequence[str], columns: int) -> str:
    """What stands in for missing values, of so many columns that have some."""
    if len(stated) == columns:
        return "What the schema states stands in for them."
    measured = "The median or the most frequent value of the training rows stands in for them"
    return f"{measured}; for {named(stated)} what the schema states." if stated else f"{measured}."


def ignored_columns(recipe: Recipe) -> Finding:
    """Texts beside other columns are left out without being asked about; say so."""
    ignored = recipe.of_role(Role.IGNORED)
    unasked = [each.name for each in ignored if each.name.lower() in TARGET_NAMES]
    if unasked and recipe.targets:
        message = (
            f"{named(unasked)}: called as a target is, and ignored; asked for is "
            f"{named([each.name for each in recipe.targets])}. Correct the schema if that is wrong."
        )
        return Finding("warn", "ignored", message, len(ignored))
    texts = [column.name for column in ignored if column.kind is Kind.TEXT]
    if not texts:
        message = f"{named([column.name for column in ignored])}: not used, since ignored."
        return Finding("ok", "ignored", message, len(ignored))
    message = (
        f"{named(texts)}: not used, since the values are read as texts. If they are numbers, mend "
        "those that are not and bring the file anew; if they are kinds, correct the schema."
    )
    return Finding("warn", "ignored", message, len(texts))


def constant_columns(evidence: Evidence) -> Finding:
    found = [
        column.name
        for column in evidence.recipe.inputs
        if len({value for value in evidence.raw[column.name] if not is_missing(value)}) < 2
    ]
    if not found:
        return Finding("ok", "constant", "Every feature takes more than one value.")
    asked = [column.name for column in evidence.recipe.targets if column.name in found]
    if asked:
        message = f"{named(asked)}: always the same value; there is nothing to foretell."
        return Finding("bad", "constant", message, len(found))
    message = f"{named(found)}: always the same value, so it tells nothing; ignore it."
    return Finding("warn", "constant", message, len(found))


def is_series_as_written(evidence: Evidence) -> bool:
    """Of a bundled series only its windows are there, of which each step is in many."""
    recipe = evidence.recipe
    used = [*recipe.inputs, *recipe.of_role(Role.TIME), *recipe.of_role(Role.GROUP)]
    return recipe.kind is Form.SERIES and all(column.name in evidence.raw for column in used)


def gaps(evidence: Evidence) -> Finding:
    """Windows take rows as equally far apart, whatever their time says."""
    recipe = evidence.recipe
    column = recipe.of_role(Role.TIME)[0]
    times = encode_numbers(column, evidence.raw[column.name])
    groups = series_numbers(recipe, evidence.raw)
    apart = np.concatenate([lengths for _, lengths in each_series(times, groups)])
    usual = float(np.median(apart)) if apart.size else 0.0
    wide = apart[apart > GAP * usual]
    if not wide.size:
        return Finding("ok", "gaps", "No row comes much later than usual after the one before.")
    unit = ", in days," if column.kind is Kind.DATE else ","
    message = (
        f"{wide.size:,} of {apart.size:,} rows come much later after the one before than is usual: "
        f"up to {wide.max():g} instead of {usual:g}{unit} and a window takes that for one step "
        "like any other. Bring a row for each time between, its value empty or drawn."
    )
    return Finding("warn", "gaps", message, int(wide.size))


def class_balance(evidence: Evidence) -> Finding:
    counts = np.bincount(evidence.targets, minlength=len(evidence.recipe.classes))
    classes = evidence.recipe.classes
    if (counts > 0).sum() < 2:
        return Finding("bad", "imbalance", "There is one class only; nothing can be told apart.")
    most, least = int(counts.argmax()), int(np.where(counts > 0, counts, counts.max() + 1).argmin())
    ratio = counts[most] / counts[least]
    if ratio == 1:
        return Finding(
            "ok", "imbalance", f"Each class has {counts[most]:,} rows.", int(counts[most])
        )
    message = (
        f"“{classes[most]}” has {counts[most]:,} rows, “{classes[least]}” {counts[least]:,}"
        f" ({ratio:.1f} times)."
    )
    level = "bad" if ratio > IMBALANCE_BAD else "warn" if ratio > IMBALANCE_WARN else "ok"
    if level != "ok":
        message += " Accuracy says little then; look at each class, or weigh them."
    return Finding(level, "imbalance", message, int(counts[least]))


def telling_columns(evidence: Evidence) -> Finding:
    """A column that gives the target away by itself, as what is only known afterwards does."""
    recipe = evidence.recipe
    if len(recipe.targets) != 1 or not constant_free(evidence):
        return Finding("ok", "target_leak", "There is no one target to be given away.")
    found, begin = [], 0
    for column in recipe.features:
        width = len(column.feature_names)
        if tells(evidence, evidence.features[:, begin : begin + width]):
            found.append(column.name)
        begin += width
        if len(recipe.features) > COLUMNS_SHOWN_MAX:
            break
    if not found:
        return Finding("ok", "target_leak", "No feature gives the target away by itself.")
    message = (
        f"{named(found)}: tells the target almost without error, by itself. If it is only known "
        "once the target is, ignore it."
    )
    return Finding(
        "bad" if len(recipe.features) > 1 else "warn", "target_leak", message, len(found)
    )


def constant_free(evidence: Evidence) -> bool:
    """Whether guessing does not do as well: the target varies, and no class is nearly all."""
    targets = evidence.targets
    if evidence.recipe.classes:
        return bool(np.bincount(targets).max() < COMMON * len(targets))
    return bool(targets.min() < targets.max())


def tells(evidence: Evidence, values: NDArray[np.float32]) -> bool:
    """Whether a small tree of one column, learned on training rows, is right about the others."""
    train = np.flatnonzero(evidence.parts == Part.TRAIN)[:ROWS_TRIED_MAX]
    others = np.flatnonzero(evidence.parts != Part.TRAIN)[:ROWS_TRIED_MAX]
    targets = evidence.targets.reshape(len(evidence.targets))
    if evidence.recipe.classes:
        kind = DecisionTreeClassifier
    else:
        kind = DecisionTreeRegressor
        targets = scaled(targets)
    if len(others) < 2 or not values.shape[1] or targets[others].min() == targets[others].max():
        return False
    leaves = max(LEAVES_MAX, 2 * len(evidence.recipe.classes))
    tree = kind(max_leaf_nodes=leaves, min_samples_leaf=2, random_state=0)
    given = scaled(values)
    tree.fit(given[train], targets[train])
    return bool(tree.score(given[others], targets[others]) >= PERFECT)


def scaled(values: NDArray[Any]) -> NDArray[np.float64]:
    """From −1 to 1: sums and squares of larger ones would overflow."""
    found: NDArray[np.float64] = values.astype(np.float64) / max(float(np.abs(values).max()), 1.0)
    return found
