"""One answer of several: what versions of a template say of the same row, merged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from marketplace.models import Deployment
from training.services import Prediction

Aggregation = Deployment.Aggregation


def merge(
    answers: Sequence[Sequence[Prediction]], shares: Sequence[int], how: str
) -> list[Prediction]:
    """`answers[version][row]` as one answer a row. Shares weigh only where that is asked for."""
    weights = shares if how == Aggregation.WEIGHTED else [1] * len(shares)
    total = sum(weights)
    parts = [weight / total for weight in weights]
    join = voted if how == Aggregation.MAJORITY else averaged
    return [join(said, parts) for said in zip(*answers, strict=True)]


def averaged(said: Sequence[Prediction], parts: Sequence[float]) -> Prediction:
    """The mean of probabilities, and the class that it makes likeliest; or the mean of values."""
    values = mean([each.values for each in said], parts)
    if not said[0].probabilities:
        label = max(values, key=values.__getitem__) if said[0].label else ""
        return replace(said[0], values=values, label=label)
    probabilities = mean([each.probabilities for each in said], parts)
    label = max(probabilities, key=probabilities.__getitem__)
    return replace(
        said[0],
        label=label,
        confidence=probabilities[label],
        probabilities=probabilities,
        values=values,
    )


def voted(said: Sequence[Prediction], parts: Sequence[float]) -> Prediction:
    """The class that most versions name; of equally many, the likelier in the mean. How sure it is,
    is the share of them that name it.
    """
    votes: dict[str, float] = {}
    for each, part in zip(said, parts, strict=True):
        votes[each.label] = votes.get(each.label, 0.0) + part
    found = averaged(said, parts)
    likely = found.probabilities or found.values
    label = max(votes, key=lambda name: (round(votes[name], 9), likely.get(name, 0.0)))
    return replace(found, label=label, confidence=min(votes[label], 1.0))


def mean(said: Sequence[Mapping[str, float]], parts: Sequence[float]) -> dict[str, float]:
    """By name; what a version does not name counts as 0 there."""
    names = dict.fromkeys(name for each in said for name in each)
    return {
        name: sum(part * each.get(name, 0.0) for each, part in zip(said, parts, strict=True))
        for name in names
    }
