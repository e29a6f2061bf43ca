"""What a model looks at: which columns it needs, and what made it answer as it did.

permutation  a column's values are shuffled among the test rows, ten times; how much of the
             first figure is lost is how much the model needs it (Breiman, 2001). The numbers
             that one category became are dealt together, and large pictures in patches. Of
             columns that tell the same each may seem needless.
contributions integrated gradients of single rows from the training mean (Sundararajan et al.,
             2017), with what they do not add up to as a share of what is explained: a row
             with more than 5 % does not count
attention    what each step attends to, as a mean over heads: weights, not reasons
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels.explain import NotExplained
from training.runner import quality
from training.runner.subjects import Judged, Subject

ROWS_MAX = 256
REPEATS = 10
COLUMNS_MAX = 64
EXAMPLES = 6
POINTS = 64
GAP_MAX = 0.05
STEPS_SHOWN = 32


def measure(subject: Subject) -> dict[str, Any]:
    found: dict[str, Any] = {"not_tried": {}}
    if why := quality.undefined(subject):
        found["not_tried"]["permutation"] = f"The first figure has no value: {why}."
    elif quality.takes_rows(subject) and not subject.is_of_tokens:
        found["permutation"] = permutation(subject)
    elif quality.takes_rows(subject):
        found["not_tried"]["permutation"] = "The place of a token in a text is no column."
    else:
        found["not_tried"]["permutation"] = "It is not given rows."
    if subject.judged in (Judged.CLASSES, Judged.VALUES, Judged.FORECASTS):
        try:
            found["contributions"] = contributions(subject)
        except NotExplained as error:
            found["not_tried"]["contributions"] = str(error)
    if quality.takes_rows(subject):
        found["attention"] = attention(subject)
    return found


def columns_of(subject: Subject) -> dict[str, NDArray[np.intp]]:
    """What is dealt together: places among the numbers of a row, by name."""
    together: dict[str, list[int]] = {}
    for place, name in enumerate(names_of(subject)):
        together.setdefault(name, []).append(place)
    if len(together) > COLUMNS_MAX:
        return patches(subject)
    return {name: np.array(places) for name, places in together.items()}


def names_of(subject: Subject) -> list[str]:
    """Of each number of a row, its own name, or that of the category it became of: by the columns
    of the recipe, since any column may be called “a=b”.
    """
    size = subject.shape.features
    named = len(subject.features) == size
    names = list(subject.features) if named else [f"number {place}" for place in range(size)]
    roles = ("feature", "target") if subject.recipe.get("kind") == "series" else ("feature",)
    columns = subject.recipe.get("columns", [])
    step: list[str | None] = []  # of a series there are several
    for column in sorted(columns, key=lambda column: str(column["role"])):  # targets stand last
        if column["role"] in roles:
            is_category = column["kind"] == "category"
            step += [column["name"]] * len(column["values"]) if is_category else [None]
    if not step or size % len(step):
        return names
    return [step[place % len(step)] or names[place] for place in range(size)]


def patches(subject: Subject) -> dict[str, NDArray[np.intp]]:
    """Neighbouring numbers as one: stretches of a row, or squares of a picture of all channels."""
    places = np.arange(subject.shape.features).reshape(subject.shape.input)
    if places.ndim < 3:
        parts = np.array_split(places.reshape(-1), COLUMNS_MAX)
        return {f"{part[0]}–{part[-1]}": part for part in parts}
    found = {}
    sides = [np.array_split(np.arange(side), min(8, side)) for side in places.shape[:2]]
    for down in sides[0]:
        for across in sides[1]:
            square = places[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
            found[f"row {down[0]}, column {across[0]}"] = square.reshape(-1)
    return found


def permutation(subject: Subject) -> dict[str, Any]:
    rows = subject.some(ROWS_MAX)
    flat = rows.features.reshape(len(rows), -1)
    whole = quality.score_of(subject, rows.features, rows)
    sign = -1.0 if subject.judged in quality.LOWER_IS_BETTER else 1.0
    rng = np.random.default_rng(subject.seed)
    found = []
    for name, places in columns_of(subject).items():
        lost = []
        for _ in range(REPEATS):
            dealt = flat.copy()
            dealt[:, places] = flat[rng.permutation(len(rows))[:, None], places]
            score = quality.score_of(subject, dealt.reshape(rows.features.shape), rows)
            lost.append(sign * (whole - score))
        found.append(
            {"name": name, "mean": float(np.mean(lost)), "sd": float(np.std(lost, ddof=1))}
        )
    return {
        "figure": quality.PRIMARIES[subject.judged],
        "rows": len(rows),
        "repeats": REPEATS,
        "columns": found,
    }


def examples_of(subject: Subject) -> list[int]:
    """Test rows to explain: the first of each class, then the first of all."""
    order = list(range(len(subject.test)))
    if subject.judged is Judged.CLASSES and subject.test.targets.ndim == 1:
        firsts = [
            int(np.argmax(subject.test.targets == one)) for one in np.unique(subject.test.targets)
        ]
        order = firsts + [row for row in order if row not in firsts]
    return order[:EXAMPLES]


def contributions(subject: Subject) -> dict[str, Any]:
    """Raises NotExplained where no gradient leads through the network."""
    rows = []
    for number in examples_of(subject):
        example = subject.test.features[number]
        answer = subject.test_answers[number].reshape(-1)
        output = int(answer.argmax()) if subject.judged is Judged.CLASSES else 0
        baseline = None if subject.is_of_tokens else subject.means
        told = subject.explainer.contributions(example, output, baseline=baseline, points=POINTS)
        explained = abs(told.score - told.baseline_score)
        gap = abs(told.missing) / explained if explained else 0.0
        rows.append(
            {
                "row": number,
                "output": name_of(subject, output),
                "values": np.asarray(told.values, float).reshape(-1).round(5).tolist(),
                "gap": gap,
                "counts": gap <= GAP_MAX,
            }
            | words_of(subject, example)
        )
        subject.beat(number)
    return {
        "points": POINTS,
        "baseline": "embeddings of zeros" if subject.is_of_tokens else "the training mean",
        "gap_max": GAP_MAX,
        "rows": rows,
        "means": means(subject, [row for row in rows if row["counts"]]),
    }


def means(subject: Subject, rows: list[dict[str, Any]]) -> dict[str, float]:
    """The mean size of the contribution of each column."""
    if not rows or subject.is_of_tokens:
        return {}
    sizes = np.abs(np.array([row["values"] for row in rows])).mean(axis=0)
    return {name: float(sizes[places].sum()) for name, places in columns_of(subject).items()}


def name_of(subject: Subject, output: int) -> str:
    if subject.judged is Judged.CLASSES and output < len(subject.classes):
        return subject.classes[output]
    return f"step {output + 1}" if subject.judged is Judged.FORECASTS else f"output {output + 1}"


def words_of(subject: Subject, example: NDArray[Any]) -> dict[str, list[str]]:
    vocabulary = subject.recipe.get("vocabulary", [])
    if not subject.is_of_tokens or not vocabulary:
        return {}
    return {"tokens": [vocabulary[int(t)] if t < len(vocabulary) else "?" for t in example]}


def attention(subject: Subject) -> list[dict[str, Any]]:
    """Of the first test row, one map for each attention of the network; none where it has none."""
    try:
        maps = subject.explainer.attention(subject.test.features[0])
    except NotExplained:
        return []
    found = []
    for number, weights in enumerate(maps):
        mean = np.asarray(weights, float).mean(axis=0)[:STEPS_SHOWN, :STEPS_SHOWN]
        found.append(
            {"layer": number, "steps": len(mean), "weights": mean.round(4).reshape(-1).tolist()}
        )
    return found
