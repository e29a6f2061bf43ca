"""What the catalogue searches: one narrow row per template on offer, a projection of the truth.

A listing repeats what templates, versions, models, validations, cards, datasets and people say, so
that a page of results is one statement over one table. `TemplateQuerySet.public()` stays the truth
for what people may see.

Why the database writes it: a trigger on templates calls `marketplace_list` (see the migration),
which alone knows the projection, in the transaction of the change itself. Publishing, describing,
withdrawing, hiding, restoring and whatever comes next cannot forget it, so what a moderator hides
is out of the catalogue at that moment. What many people do at once is not written row by row, since
every purchase of a template would wait for the one before: `runner.listings` counts it by the
clock, and repairs what a trigger cannot see, such as a dataset that was renamed.

    quality = 0.4 · certificate + 0.3 · rating + 0.3 · downloads, each from 0 to 1

`certificate` runs from 1 (platinum) in fifths down to 0.2 (basic), `rating` is the Bayesian mean
(five imaginary reviews of 3.5 stars), `downloads` is logarithmic and full at 10,000.

`tokens` are what facets count, `facet:value`; of numbers, the band they are in. One GIN index holds
words and tokens, so that text and facets meet inside it.
"""

import datetime
import math
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, GistIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import User
from marketplace.models.reviews import PRIOR_COUNT, PRIOR_MEAN
from marketplace.models.templates import Plan, Template
from training.models import Category, Dataset, Licence, Tier, Validation

DOWNLOADS_FULL = 10_000
CREDIT = 1_000_000  # microcredits

# The least value of each band but the first. What is free is a band of its own.
BANDS: dict[str, tuple[str, tuple[float, ...]]] = {
    "price": ("price_microcredits", (1, 5 * CREDIT + 1, 20 * CREDIT + 1, 100 * CREDIT + 1)),
    "size": ("size_bytes", (1e4, 1e5, 1e6, 1e7)),
    "params": ("parameters", (1e3, 1e4, 1e5, 1e6)),
    "latency": ("latency_p50_ms", (0.05, 0.1, 0.5, 1, 5)),
}
AGES = (7, 30, 90, 365)  # days since it was published
SCORE_BANDS = (0.8, 0.9, 0.95, 0.99)
SHARES = ("accuracy", "pr_auc")  # figures from 0 to 1, the more the better, which have bands
# What stands in a column as it is.
VALUES = {
    "category": "category",
    "plan": "plan",
    "architecture": "architecture",
    "tier": "tier",
    "licence": "licence",
    "metric": "metric",
    "certificate": "certificate",
    "dataset": "dataset_slug",
    "author": "author",
}
UNCOMMERCIAL = ", ".join(f"'{licence.value}'" for licence in (Licence.CC_BY_NC, Licence.OTHER))


def band(column: str, edges: tuple[float, ...]) -> str:
    listed = ", ".join(f"{edge:.12g}" for edge in edges)
    return f"width_bucket({column}::float8, ARRAY[{listed}]::float8[])"


# Immutable expressions over columns of the same row, so that they can neither lag nor be forgotten.
TOKENS = ", ".join(
    [
        *(f"'{name}:' || {column}" for name, column in VALUES.items()),
        *(f"'{name}:' || {band(column, edges)}" for name, (column, edges) in BANDS.items()),
        f"'commercial:' || CASE WHEN licence IN ('', {UNCOMMERCIAL}) THEN 'no' ELSE 'yes' END",
        "CASE WHEN is_share"
        f" THEN metric || ':' || {band('goodness', SCORE_BANDS)} ELSE 'share:no' END",
    ]
)
RATING = f"(rating_sum + {float(PRIOR_COUNT * PRIOR_MEAN)}) / (rating_count + {PRIOR_COUNT})"
LEVELS = " ".join(
    f"WHEN '{level.value}' THEN {1 - 0.2 * place:.1f}"
    for place, level in enumerate(Validation.Certificate)
)
QUALITY = (
    f"0.4 * CASE certificate {LEVELS} ELSE 0 END + 0.3 * ({RATING} - 1) / 4"
    f" + 0.3 * least(1, ln(1 + downloads) / ln({1 + DOWNLOADS_FULL}))"
)


def generated(sql: str, type: str, field: models.Field[Any, Any]) -> models.GeneratedField:
    expression = models.Func(template=f"({sql})::{type}", output_field=field)
    return models.GeneratedField(expression=expression, output_field=field, db_persist=True)


class Projection(models.Model):
    """The columns of a listing."""

    template = models.OneToOneField(
        Template, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    slug = models.TextField()
    name = models.TextField()
    summary = models.TextField()  # or how the description begins
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", db_index=False)
    author = models.TextField()
    category = models.TextField(choices=Category)
    plan = models.TextField(choices=Plan)
    price_microcredits = models.BigIntegerField()
    call_price_microcredits = models.BigIntegerField()
    architecture = models.TextField()
    tier = models.TextField(choices=Tier)
    size_bytes = models.BigIntegerField()
    parameters = models.BigIntegerField()
    licence = models.TextField(choices=Licence)
    latency_p50_ms = models.FloatField()  # infinite where it was not measured
    metric = models.TextField()  # the first figure of its kind of model
    value = models.FloatField(null=True)
    goodness = models.FloatField()  # the more the better: an error's is negative
    is_share = models.BooleanField()  # from 0 to 1, the more the better
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="+", db_index=False)
    dataset_slug = models.TextField()
    dataset_name = models.TextField()
    certificate = models.TextField(choices=Validation.Certificate)
    published_at = models.DateTimeField()
    words = SearchVectorField()
    # What people did, counted by the clock.
    rating_sum = models.IntegerField(db_default=0)
    rating_count = models.IntegerField(db_default=0)
    downloads = models.IntegerField(db_default=0)
    downloads_7_days = models.IntegerField(db_default=0)
    downloads_30_days = models.IntegerField(db_default=0)
    trend = models.FloatField(db_default=0)
    changed_at = models.DateTimeField(db_default=Now())
    tokens = generated(f"ARRAY[{TOKENS}]", "text[]", ArrayField(models.TextField()))
    rating = generated(RATING, "float8", models.FloatField())
    quality = generated(QUALITY, "float8", models.FloatField())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:template", args=[self.slug])

    @property
    def metric_name(self) -> str:
        return self.metric.replace("_", " ")

    @property
    def latency_ms(self) -> float | None:
        return self.latency_p50_ms if math.isfinite(self.latency_p50_ms) else None

    @property
    def size_mb(self) -> float:
        return self.size_bytes / 1e6

    @property
    def stars(self) -> float | None:
        """As people gave them; lists are sorted by `rating`."""
        return self.rating_sum / self.rating_count if self.rating_count else None


class Listing(Projection):
    """A template on offer, as the catalogue finds and shows it."""

    class Meta:
        indexes = [
            GinIndex(fields=["words", "tokens"], name="listings_by_words", fastupdate=False),
            # An index for each order that people may ask for. The id makes the order total.
            models.Index(fields=["-quality", "-template"], name="listings_by_quality"),
            models.Index(fields=["-trend", "-template"], name="listings_by_trend"),
            models.Index(fields=["-downloads", "-template"], name="listings_by_downloads"),
            models.Index(fields=["-rating", "-template"], name="listings_by_rating"),
            models.Index(fields=["-published_at", "-template"], name="listings_by_age"),
            models.Index(fields=["latency_p50_ms", "template"], name="listings_by_latency"),
            models.Index(fields=["metric", "-goodness", "-template"], name="listings_by_figure"),
            models.Index(fields=["metric", "value"], name="listings_by_value"),
            models.Index(fields=["size_bytes", "template"], name="listings_by_size"),
            models.Index(fields=["price_microcredits", "template"], name="listings_by_price"),
            models.Index(fields=["changed_at"], name="listings_by_change"),
        ]


class Sampled(Projection):
    """Some thousand of the listings, where there are too many to count at each look: those of the
    lowest ids, which are random, so they are a fair sample. Beside each other on the disk.
    """

    place = models.SmallIntegerField()  # in the sample

    class Meta:
        indexes = [GinIndex(fields=["words", "tokens"], name="sampled_by_words", fastupdate=False)]


class OverviewQuerySet(models.QuerySet["Overview"]):
    def now(self) -> "Overview":
        """The one there is; before the clock made it, one that says that all are counted."""
        return self.first() or Overview()


class Overview(models.Model):
    """One row: how many listings there are, how many of them are sampled, and what all facets say
    where nothing is asked.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    listings = models.BigIntegerField(default=0)
    sampled = models.BigIntegerField(default=0)
    facets = models.JSONField(default=list)
    counted_at = models.DateTimeField(db_default=Now())
    learned_at = models.DateTimeField(default=datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))

    objects = OverviewQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_overview")]

    def __str__(self) -> str:
        return f"{self.listings} listings"


class Word(models.Model):
    """A word of the listings, as it is spelled there: what a misspelled one is corrected to."""

    word = models.TextField(primary_key=True)
    listings = models.IntegerField()

    class Meta:
        indexes = [
            GistIndex(fields=["word"], opclasses=["gist_trgm_ops"], name="words_by_spelling"),
            models.Index(
                fields=["word"], opclasses=["text_pattern_ops"], name="words_by_beginning"
            ),
        ]

    def __str__(self) -> str:
        return self.word
