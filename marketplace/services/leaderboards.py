"""Who is best on which data, by verified numbers only: those of the validations that are sold.

Everybody's figure on a dataset was measured on the same test rows, so they compare. Chance moves
them all the same: a place says, too, whether the first one's 95 % interval reaches it.
"""

from dataclasses import dataclass

from django.db.models import Count, FloatField
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast

from governance.models import User
from marketplace.models import Template, TemplateVersion
from training.models import Dataset

PLACES_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Place:
    """`number` counts those that are better; equal figures share a place."""

    number: int
    template: Template
    version: TemplateVersion
    value: float
    low: float | None
    high: float | None
    is_level: bool  # with the first, within their intervals


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    dataset: Dataset
    metric: str
    lower_is_better: bool
    places: list[Place]

    @property
    def intervals(self) -> list[dict[str, str | float]]:
        """The places that have an interval, ready to be drawn."""
        return [
            {
                "name": place.template.name,
                "value": place.value,
                "low": place.low,
                "high": place.high,
            }
            for place in self.places
            if place.low is not None and place.high is not None
        ]


def leaderboard_datasets(*, viewer: User | None) -> list[tuple[Dataset, int]]:
    """The datasets that a person may see with how many templates on offer stand on each."""
    counts = dict(
        Template.objects.public()
        .order_by()
        .values_list("current__model__job__dataset")
        .annotate(count=Count("pk"))
    )
    datasets = Dataset.objects.visible_to(viewer).filter(pk__in=counts)
    rows = [(dataset, counts[dataset.pk]) for dataset in datasets]
    return sorted(rows, key=lambda row: (-row[1], row[0].name))


def leaderboard_of(*, dataset: Dataset) -> Leaderboard:
    """The templates on offer that were trained and measured on a dataset, best first.

    What it is by is the first figure of most of them.
    """
    offered = Template.objects.public().filter(current__model__job__dataset=dataset)
    primary = (
        offered.order_by()
        .values_list(KeyTextTransform("primary", "current__validation__report"))
        .annotate(count=Count("pk"))
        .order_by("-count")
        .first()
    )
    if primary is None or not primary[0]:
        return Leaderboard(dataset=dataset, metric="", lower_is_better=False, places=[])
    name = primary[0]
    figure = f"current__validation__metrics__{name}"
    measured = offered.filter(**{f"{figure}__value__isnull": False})
    one = measured.values_list(f"{figure}__lower_is_better", flat=True).first()
    lower_is_better = bool(one)
    stored = KeyTransform(name, "current__validation__metrics")
    value = Cast(KeyTextTransform("value", stored), FloatField())
    order = value.asc() if lower_is_better else value.desc()
    rows = measured.order_by(order, "published_at", "pk").with_current()[:PLACES_MAX]
    return Leaderboard(
        dataset=dataset,
        metric=name,
        lower_is_better=lower_is_better,
        places=places_of(list(rows), name),
    )


def places_of(templates: list[Template], name: str) -> list[Place]:
    places: list[Place] = []
    for index, template in enumerate(templates):
        version = template.shown
        assert version.validation is not None  # the query asked for its figure
        figure = version.validation.metrics[name]
        is_equal = bool(places) and places[-1].value == figure["value"]
        low, high = figure.get("low"), figure.get("high")
        first = places[0] if places else None
        places.append(
            Place(
                number=places[-1].number if is_equal else index + 1,
                template=template,
                version=version,
                value=figure["value"],
                low=low,
                high=high,
                is_level=first is None or overlap(first, low, high),
            )
        )
    return places


def overlap(first: Place, low: float | None, high: float | None) -> bool:
    if None in (first.low, first.high, low, high):
        return False
    assert first.low is not None and first.high is not None
    assert low is not None and high is not None
    return low <= first.high and first.low <= high
