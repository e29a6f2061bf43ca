"""Test rows that trained, too: what is the same number for number is known by heart, not by rule.

A table may hold a row twice, and a split at random then sends one of them to each part. A figure on
such rows says how well a network remembers. So a validation counts them, beside those that an
ancestor was shown (`ancestry`); where they are more than chance makes, the page, the card and the
receipt say so, no certificate is earned, and the publish gate stays shut.

Rows of a few categories are alike by nature. So what is counted is held against chance: how many
would meet a row that trained if each column's values were dealt to them anew.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from training.runner.ancestry import SEEN_SHARE_MAX, new_digest, plain, row_digests
from training.runner.recipes import Form, Recipe
from training.runner.rows import Part
from training.runner.subjects import Judged, Subject

ROWS_DEALT = 2_000
NUMBERS_DEALT = 500  # of each of them at once: a million in all, and where each comes from
TIMES_CHANCE = 2


def trained_test_rows(subject: Subject) -> dict[str, Any] | None:
    """How many test rows have all their numbers in common with one that trained; None where there
    are no rows, or where they are alike by nature.
    """
    stated = subject.recipe
    if subject.judged is Judged.EPISODES or (stated and Recipe.from_json(stated).is_repetitive):
        return None
    rows = subject.rows
    digests = row_digests(rows, subject.beat)
    trains = rows.parts == Part.TRAIN
    if subject.usual is not None:  # the others were left out of training
        trains &= rows.targets.reshape(-1) == subject.usual
    trained = {digests[row] for row in np.flatnonzero(trains)}
    test = rows.numbers(Part.TEST)
    count = sum(digests[row] in trained for row in test)
    return {
        "rows": len(test),
        "seen": count,
        "share": count / max(len(test), 1),
        "share_by_chance": share_by_chance(subject, trained) if count else 0.0,
    }


def share_by_chance(subject: Subject, trained: set[bytes]) -> float:
    """Of rows whose columns have nothing to do with one another. Some columns are dealt at a time,
    and of each row only a digest stays: rows as wide as a picture would take gigabytes.
    """
    rng = np.random.default_rng(subject.seed)
    flat = subject.rows.features.reshape(len(subject.rows), -1)
    digests = [new_digest() for _ in range(ROWS_DEALT)]
    for columns in at_once(columns_of(subject, flat.shape[1])):
        widths = [end - begin for begin, end in columns]
        drawn = rng.integers(0, len(flat), (len(columns), ROWS_DEALT)).T
        begin, end = columns[0][0], columns[-1][1]
        dealt = flat[np.repeat(drawn, widths, axis=1), np.arange(begin, end)]
        for digest, row in zip(digests, dealt, strict=True):
            digest.update(plain(row))
        subject.beat(end)
    return sum(digest.digest() in trained for digest in digests) / ROWS_DEALT


def at_once(columns: Iterable[tuple[int, int]]) -> Iterator[list[tuple[int, int]]]:
    """The columns in lists, none with more numbers than `NUMBERS_DEALT` unless it is one column."""
    found: list[tuple[int, int]] = []
    for begin, end in columns:
        if found and end - found[0][0] > NUMBERS_DEALT:
            yield found
            found = []
        found.append((begin, end))
    if found:
        yield found


def columns_of(subject: Subject, width: int) -> Iterator[tuple[int, int]]:
    """Where the numbers of each column begin and end; those of a category are one."""
    recipe = Recipe.from_json(subject.recipe) if subject.recipe else None
    if recipe is None or recipe.kind is not Form.TABLE:
        yield from ((at, at + 1) for at in range(width))
        return
    begin = 0
    for column in recipe.features:
        yield begin, begin + len(column.feature_names)
        begin += len(column.feature_names)


def is_leak(found: Mapping[str, Any] | None) -> bool:
    """Whether these are more than happen to be alike: one row is, in whatever few, and columns that
    go together meet more often than chance has it. No row happens to be the same one of a file.
    """
    if found is None:
        return False
    if found.get("of_one_file"):
        return True
    share = max(SEEN_SHARE_MAX, TIMES_CHANCE * found.get("share_by_chance", 0.0))
    return bool(found["seen"] > max(1, share * found["rows"]))


def leaks(report: Mapping[str, Any]) -> list[str]:
    """Why the figures of a validation say too much, each reason a sentence without its end."""
    copies, shown = report.get("copies"), report.get("ancestors")
    found = []
    if copies is not None and is_leak(copies):
        found.append(
            f"{copies['seen']:,} of the {copies['rows']:,} rows it was tested on also stand among "
            "those that trained it"
        )
    if shown is not None and is_leak(shown):
        found.append(
            f"{shown['seen']:,} of the {shown['rows']:,} rows it was tested on were shown to what "
            f"it began from ({', '.join(shown['models'])})"
        )
    return found


def acquaintance(shown: Mapping[str, Any]) -> str:
    """What a model began from, and which of its test rows that was shown, in sentences. Where rows
    are other numbers nobody knows it, which is not that none was.
    """
    names, unknown = shown["models"], shown.get("not_compared", [])
    found, rows = [f"It began from {', '.join(names)}."], f"of the {shown['rows']:,} test rows"
    if len(unknown) < len(names):
        count = "none was"
        if shown["seen"]:
            were = "was" if shown["seen"] == 1 else "were"
            count = f"{shown['seen']:,} ({100 * shown['share']:.4g} %) {were}"
        doubt = ", so these figures say too much" if is_leak(shown) else ""
        found.append(f"O{rows[1:]} {count} shown to an ancestor in training{doubt}.")
    if unknown:
        found.append(
            f"Which {rows} were shown to {', '.join(unknown)} is not known, since rows are other "
            "numbers there."
        )
    return " ".join(found)
