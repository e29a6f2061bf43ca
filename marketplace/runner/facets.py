"""What people can narrow a search by, each value with its count and the query it leads to."""

from collections.abc import Iterator
from dataclasses import dataclass

from marketplace.models import Plan
from marketplace.runner.counting import Count, Found
from marketplace.runner.queries import Condition, Query, write
from training.models import Category, Licence, Tier, Validation

NONE = Count(0)
# The condition of each choice of a facet of numbers, what it is called, and the bands it covers.
Choice = tuple[str, Condition, range]


def at_most(name: str, label: str, value: float, bands: int) -> Choice:
    return label, Condition(name, "<=", high=value), range(bands)


def below(name: str, label: str, value: float, bands: int) -> Choice:
    return label, Condition(name, "<", high=value), range(bands)


def from_on(name: str, label: str, value: float, first: int) -> Choice:
    return label, Condition(name, ">=", low=value), range(first, 9)


def within(label: str, days: int, bands: int) -> Choice:
    return label, Condition("published", ":", (f"{days}d",)), range(bands)


@dataclass(frozen=True)
class Facet:
    """`labels` name the values that there are; a facet without them names what is found."""

    name: str
    label: str
    labels: dict[str, str] | None = None
    choices: tuple[Choice, ...] = ()


def shares(name: str) -> tuple[Choice, ...]:
    levels = ((0.99, 4), (0.95, 3), (0.9, 2), (0.8, 1))
    return tuple(from_on(name, f"{level:.0%} or more", level, band) for level, band in levels)


FACETS = (
    Facet("category", "Category", dict(Category.choices)),
    Facet(
        "price",
        "Price",
        choices=(
            ("Free", Condition("price", ":", low=0, high=0), range(1)),
            at_most("price", "Up to 5 credits", 5, 2),
            at_most("price", "Up to 20 credits", 20, 3),
            at_most("price", "Up to 100 credits", 100, 4),
            ("More than 100 credits", Condition("price", ">", low=100), range(4, 5)),
        ),
    ),
    Facet("accuracy", "Accuracy, measured", choices=shares("accuracy")),
    Facet("pr_auc", "PR AUC, measured", choices=shares("pr_auc")),
    Facet(
        "latency",
        "Latency of a row (p50)",
        choices=(
            below("latency", "Under 0.05 ms", 0.05, 1),
            below("latency", "Under 0.1 ms", 0.1, 2),
            below("latency", "Under 0.5 ms", 0.5, 3),
            below("latency", "Under 1 ms", 1, 4),
            from_on("latency", "1 ms or more", 1, 4),
        ),
    ),
    Facet("certificate", "Certificate", dict(Validation.Certificate.choices)),
    Facet("licence", "Licence", dict(Licence.choices)),
    Facet("commercial", "Commercial use", {"yes": "Allowed", "no": "Not, or ask the author"}),
    Facet("architecture", "Architecture"),
    Facet(
        "params",
        "Parameters",
        choices=(
            below("params", "Under 1 thousand", 1e3, 1),
            below("params", "Under 10 thousand", 1e4, 2),
            below("params", "Under 100 thousand", 1e5, 3),
            below("params", "Under 1 million", 1e6, 4),
            from_on("params", "1 million or more", 1e6, 4),
        ),
    ),
    Facet(
        "size",
        "Size of the file",
        choices=(
            below("size", "Under 10 KB", 1e4, 1),
            below("size", "Under 100 KB", 1e5, 2),
            below("size", "Under 1 MB", 1e6, 3),
            below("size", "Under 10 MB", 1e7, 4),
            from_on("size", "10 MB or more", 1e7, 4),
        ),
    ),
    Facet("tier", "Tier", dict(Tier.choices)),
    Facet("plan", "Plan", dict(Plan.choices)),
    Facet("metric", "Judged by"),
    Facet("dataset", "Dataset"),
    Facet(
        "published",
        "Published",
        choices=(
            within("Last 7 days", 7, 1),
            within("Last 30 days", 30, 2),
            within("Last 90 days", 90, 3),
            within("Last year", 365, 4),
        ),
    ),
    Facet("author", "Author"),
)


@dataclass(frozen=True)
class Value:
    """`query` is what is asked once this one is chosen, or given up where it is."""

    label: str
    count: Count
    query: str
    is_chosen: bool

    @property
    def said(self) -> str:
        """Its count; of a sample that has none of it nothing is known but that it is rare."""
        return str(self.count) if self.count.number or self.count.is_exact else "few"


@dataclass(frozen=True)
class Shown:
    name: str
    label: str
    values: list[Value]

    @property
    def is_chosen(self) -> bool:
        return any(value.is_chosen for value in self.values)


def facets_of(query: Query, found: Found) -> list[Shown]:
    """Those that would find something, or are chosen."""
    shown = []
    for facet in FACETS:
        counts = found.facets.get(facet.name, found.facets[""])
        valued = banded if facet.choices else listed
        values = list(valued(facet, query, counts))
        # What all have alike tells nothing apart, and needs no choice.
        if len(values) > 1 or any(value.is_chosen for value in values):
            shown.append(Shown(facet.name, facet.label, values))
    return shown


def listed(facet: Facet, query: Query, counts: dict[str, Count]) -> Iterator[Value]:
    prefix = f"{facet.name}:"
    known = {
        token.removeprefix(prefix): count
        for token, count in counts.items()
        if token.startswith(prefix) and token != prefix
    }
    chosen = chosen_of(facet.name, query)
    for value in chosen:
        known.setdefault(value, NONE)
    places = {value: place for place, value in enumerate(facet.labels or ())}

    def order(value: str) -> tuple[int, int, str]:
        return places.get(value, len(places)), -known[value].number, value

    for value in sorted(known, key=order):
        others = tuple(one for one in chosen if one != value)
        wanted = others if value in chosen else (*others, value)
        kept = query.without(facet.name)
        if wanted:
            kept = kept.having(Condition(facet.name, ":", wanted))
        label = (facet.labels or {}).get(value, value.replace("_", " "))
        yield Value(label, known[value], write(kept), value in chosen)


def chosen_of(name: str, query: Query) -> tuple[str, ...]:
    """Values that are asked for; what is excluded is no choice."""
    return tuple(
        value
        for condition in query.on(name)
        if not condition.is_excluded
        for value in condition.values
    )


def banded(facet: Facet, query: Query, counts: dict[str, Count]) -> Iterator[Value]:
    """Choices reach over several bands, so their counts are sums."""
    asked = query.on(facet.name)
    for label, condition, bands in facet.choices:
        tokens = [f"{facet.name}:{band}" for band in bands]
        parts = [counts[token] for token in tokens if token in counts]
        count = Count(sum(part.number for part in parts), all(part.is_exact for part in parts))
        is_chosen = asked == (condition,)
        kept = query.without(facet.name)
        if count.number or is_chosen:
            yield Value(
                label, count, write(kept if is_chosen else kept.having(condition)), is_chosen
            )
