"""Test rows that trained, too: what is the same number for number is known by heart, not by rule.

A table may hold a row twice, and a split at random then sends one of them to each part. A figure on
such rows says how well a network remembers. So a validation counts them, beside those that an
ancestor was shown (`ancestry`); where they are more than chance makes, the page, the card and the
receipt say so, no certificate is earned, and the publish gate stays shut.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from training.runner.ancestry import SEEN_SHARE_MAX, row_digests
from training.runner.recipes import Recipe
from training.runner.rows import Part
from training.runner.subjects import Judged, Subject


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
    return {"rows": len(test), "seen": count, "share": count / max(len(test), 1)}


def is_leak(found: Mapping[str, Any] | None) -> bool:
    """Whether these are more than happen to be alike: one row is, in whatever few."""
    return found is not None and found["seen"] > max(1, SEEN_SHARE_MAX * found["rows"])


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
            f"{shown['seen']:,} of the {shown['rows']:,} rows it was tested on were shown to a "
            f"model that it began from ({', '.join(shown['models'])})"
        )
    return found
