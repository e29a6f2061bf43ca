"""A template's page: which version one looks at, as whom, and what stands on it beside the numbers.

What was public once keeps its address: who comes for what is gone reads why, since when, and what
to take instead. Who bought it, and its author, still see all of it.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.db import models
from django.db.models.functions import Cast, Concat, TruncDate
from django.utils import timezone

from billing.models import UsageEvent
from governance.models import User
from governance.services import Refusal
from marketplace.models import Deployment, Download, Gone, Purchase, Template, TemplateVersion
from training import services as training
from training.models import Model

DAYS_SHOWN = 30
KEPT_SECONDS = 300
SIMILAR = 4
SIMILAR_LOOKED_AT = 100  # of the newest of its category
YANKED = "yanked"  # a version alone
Status = TemplateVersion.Status


class TemplateNotAvailable(Refusal):
    """It was public and no longer is: its author withdrew it, or a moderator removed it."""

    status = 410


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a visitor is to a template."""

    is_member: bool = False
    is_owner: bool = False
    has_bought: bool = False

    @property
    def is_entitled(self) -> bool:
        return self.is_owner or self.has_bought


@dataclass(frozen=True, kw_only=True)
class Tombstone:
    """What is gone, why and since when; `successor` is what to take instead, where there is one."""

    kind: str
    reason: str
    at: datetime.datetime | None
    successor: TemplateVersion | None = None

    @property
    def by_whom(self) -> str:
        return "a moderator" if self.kind == Gone.REMOVED else "its author"


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A version of a template as one visitor meets it."""

    template: Template
    version: TemplateVersion
    versions: Sequence[TemplateVersion]  # those that the visitor may know of, the newest first
    standing: Standing
    tombstone: Tombstone | None

    @property
    def is_closed(self) -> bool:
        """Whether the visitor reads the tombstone and nothing else."""
        if self.tombstone is None or self.standing.is_owner:
            return False
        return self.tombstone.kind == Gone.REMOVED or not self.standing.has_bought

    @property
    def is_current(self) -> bool:
        return self.version.pk == self.template.current_id


def standing_of(user: User | None, template: Template, *, is_bought: bool) -> Standing:
    if user is None:
        return Standing()
    is_owner = template.owner_id == user.pk
    return Standing(is_member=True, is_owner=is_owner, has_bought=is_bought and not is_owner)


def find_offer(
    *, viewer: User | None, number: int | None = None, with_figures: bool = False, **address: Any
) -> Offer | None:
    """The template at an address (`slug`, or `pk`), in one of its versions, else in the one that
    is on offer; nothing where the viewer must not know that there is one. The figures of all its
    versions, which are large, are read along only where they are asked for.
    """
    related = TemplateVersion.objects.select_related("model__job__dataset", "model__card")
    if with_figures:
        related = related.select_related("validation")
    bought = Purchase.objects.filter(template=models.OuterRef("pk"), buyer=viewer)
    rows = Template.objects.known_to(viewer).select_related("owner")
    rows = rows.annotate(is_bought=models.Exists(bought))
    rows = rows.prefetch_related(models.Prefetch("versions", queryset=related))
    template = rows.filter(**address).first()
    if template is None:
        return None
    standing = standing_of(viewer, template, is_bought=vars(template)["is_bought"])
    versions = [one for one in template.versions.all() if standing.is_owner or one.published_at]
    version = chosen_version(template, versions, number)
    if version is None:
        return None
    return Offer(
        template=template,
        version=version,
        versions=versions,
        standing=standing,
        tombstone=tombstone_of(template, version, versions),
    )


def chosen_version(
    template: Template, versions: Sequence[TemplateVersion], number: int | None
) -> TemplateVersion | None:
    """By its number; else the one on offer, or the last that was, or the newest there is."""
    if number is not None:
        return next((one for one in versions if one.number == number), None)
    if template.current_id:
        return next((one for one in versions if one.pk == template.current_id), None)
    shown = [one for one in versions if one.published_at is not None]
    return next(iter(shown or versions), None)


def tombstone_of(
    template: Template, version: TemplateVersion, versions: Sequence[TemplateVersion]
) -> Tombstone | None:
    if template.hidden_at is not None:
        return Tombstone(kind=Gone.REMOVED, reason=template.hidden_reason, at=template.hidden_at)
    if template.withdrawn_at is not None:
        return Tombstone(
            kind=Gone.WITHDRAWN, reason=template.withdrawn_reason, at=template.withdrawn_at
        )
    if version.status != Status.WITHDRAWN or version.published_at is None:
        return None
    successor = next((one for one in versions if one.pk == template.current_id), None)
    return Tombstone(
        kind=YANKED, reason=version.ended_reason, at=version.ended_at, successor=successor
    )


def require_open(offer: Offer) -> None:
    """Raises TemplateNotAvailable where the visitor reads the tombstone and nothing else."""
    gone = offer.tombstone
    if gone is None or not offer.is_closed:
        return
    at = f" on {gone.at:%Y-%m-%d}" if gone.at else ""
    named = f"Version {offer.version.number} of “{offer.template}”"
    what = named if gone.kind == YANKED else f"“{offer.template}”"
    instead = f" Use version {gone.successor.number}." if gone.successor else ""
    raise TemplateNotAvailable(
        f"{what} was withdrawn by {gone.by_whom}{at}: {gone.reason}{instead}",
        members={
            "reason": gone.reason,
            "gone_at": gone.at.isoformat() if gone.at else None,
            "successor": gone.successor.number if gone.successor else None,
        },
    )


# What it costs


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of so many calls in a month, of one row each, beside what is paid once."""

    calls: int
    included: int
    paid: int
    call_microcredits: int
    compute_microcredits: int  # of one call, which its price includes
    month_microcredits: int
    once_microcredits: int

    @property
    def first_month_microcredits(self) -> int:
        return self.once_microcredits + self.month_microcredits


def cost_of_calls(*, version: TemplateVersion, calls: int, standing: Standing) -> Cost:
    """What this visitor pays for them: an author the compute alone, and nobody twice for what they
    bought.
    """
    compute = training.COMPUTE_PRICE_MICROCREDITS
    price = compute if standing.is_owner else version.charged_microcredits
    included = 0 if standing.is_owner else min(calls, version.monthly_calls)
    return Cost(
        calls=calls,
        included=included,
        paid=calls - included,
        call_microcredits=price,
        compute_microcredits=compute,
        month_microcredits=(calls - included) * price,
        once_microcredits=0 if standing.is_entitled else version.price_microcredits,
    )


# What it takes and answers


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One thing that goes in or comes out, and the range it has in data that one may see."""

    field: training.Field
    low: float | None = None
    high: float | None = None


def signature_of(*, version: TemplateVersion, viewer: User | None) -> dict[str, list[Signal]]:
    """Raises FileUnreadable."""
    described = training.describe_model(model=version.model)
    ranges = ranges_of(version, viewer)
    return {
        title: [
            Signal(field=field, low=low, high=high)
            for field in fields
            for low, high in [ranges.get(field.name, (None, None))]
        ]
        for title, fields in (
            ("What goes in", described.inputs),
            ("What comes out", described.outputs),
        )
    }


def ranges_of(version: TemplateVersion, viewer: User | None) -> Mapping[str, tuple[float, float]]:
    """From the least to the greatest value of each column; of data that are private, nothing."""
    dataset = version.model.job.dataset
    if not dataset.is_visible_to(viewer):
        return {}
    spreads = training.sample_rows(dataset=dataset).spreads
    return {
        one.name: (one.edges[0], one.edges[-1]) for one in spreads if one.edges and not one.is_date
    }


# What stands beside it


def similar_templates(*, offer: Offer) -> list[Template]:
    """Others of its category: on the same data first, then of the same signature, then the best.

    Of the newest only, so that it takes as long among a million as among a hundred.
    """
    rows = Template.objects.public().filter(category=offer.template.category)
    newest = rows.exclude(pk=offer.template.pk).order_by("-published_at")[:SIMILAR_LOOKED_AT]
    related = newest.select_related("owner", "current__model__job__dataset", "current__validation")
    heavy = ("current__validation__report", "current__validation__receipt")
    own = offer.version.model.job.dataset

    def likeness(other: Template) -> tuple[bool, bool, float]:
        assert other.current is not None
        dataset, measured = other.current.model.job.dataset, other.current.validation
        return (
            dataset.family == own.family,
            dataset.shape == own.shape and dataset.features == own.features,
            (measured.score if measured else None) or 0.0,
        )

    found = sorted(related.defer(*heavy), key=likeness, reverse=True)[:SIMILAR]
    versions = TemplateVersion.objects.select_related("validation")
    models.prefetch_related_objects(found, models.Prefetch("versions", queryset=versions))
    return found


@dataclass(frozen=True, kw_only=True)
class Kin:
    """Templates on offer whose models this one began from, or that began from it."""

    parents: Sequence[Template]
    children: Sequence[Template]


def kin_of(*, offer: Offer, lineage: training.Lineage) -> Kin:
    start = Model.objects.filter(job=lineage.start).first() if lineage.start else None
    parents = [one.pk for one in (lineage.parent, start) if one is not None]
    children = [one.pk for one in lineage.children]
    rows = Template.objects.public().exclude(pk=offer.template.pk).select_related("current")
    found = list(rows.filter(current__model__in=[*parents, *children]))
    return Kin(
        parents=[one for one in found if one.current and one.current.model_id in parents],
        children=[one for one in found if one.current and one.current.model_id in children],
    )


# How it is used


def counts_of(*, template: Template) -> dict[str, int]:
    """How many people have it, and how often its files were taken, in one question."""
    of_it = models.OuterRef("pk")
    rows = (Purchase.objects.filter(template=of_it), Download.objects.filter(template=of_it))
    counted = [one.order_by().values("template").values(n=models.Count("pk")) for one in rows]
    asked = Template.objects.filter(pk=template.pk).values_list(*map(models.Subquery, counted))
    sales, downloads = asked.get()
    return {"sales": sales or 0, "downloads": downloads or 0}


def usage_by_day(*, template: Template) -> dict[str, list[tuple[int, int]]]:
    """How many people called it, and took its files, on each of the last days, today being 0; a
    person counts once a day, and its author not at all. Kept a while, since a page that many look
    at has much to count.
    """
    key = f"usage/{template.pk}"
    kept: dict[str, list[tuple[int, int]]] | None = cache.get(key)
    if kept is None:
        kept = {
            "called it": by_day(calls_by_day(template)),
            "took its files": by_day(downloads_by_day(template)),
        }
        cache.set(key, kept, timeout=KEPT_SECONDS)
    return kept


def first_day() -> datetime.date:
    return timezone.now().date() - datetime.timedelta(days=DAYS_SHOWN - 1)


def first_moment() -> datetime.datetime:
    return datetime.datetime.combine(first_day(), datetime.time(), tzinfo=datetime.UTC)


def calls_by_day(template: Template) -> Mapping[datetime.date, int]:
    of_it = Deployment.objects.filter(template=template)
    named = Concat(models.Value("deployment/"), Cast("pk", models.CharField()))
    events = (
        UsageEvent.objects.filter(source__in=of_it.values(source=named), at__gte=first_moment())
        .exclude(user=template.owner_id)
        .annotate(day=TruncDate("at"))
    )
    counted = events.values("day").annotate(people=models.Count("user", distinct=True))
    return dict(counted.values_list("day", "people"))


def downloads_by_day(template: Template) -> Mapping[datetime.date, int]:
    counted = (
        Download.objects.filter(template=template, day__gte=first_day()).values("day").order_by()
    )
    return dict(counted.values_list("day").annotate(models.Count("pk")))


def by_day(counted: Mapping[datetime.date, int]) -> list[tuple[int, int]]:
    """Every day from the first one on, also those of nobody."""
    first = first_day()
    days = [first + datetime.timedelta(days=at) for at in range(DAYS_SHOWN)]
    return [(at - DAYS_SHOWN + 1, counted.get(day, 0)) for at, day in enumerate(days)]
