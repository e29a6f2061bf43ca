"""Templates, their versions, purchases and deployments.

    draft ──submit──▶ in_review ──approve──▶ public
                          └──────reject────▶ rejected

A version is immutable: the model, the validation whose numbers the page shows, and the prices are
copied or bound when it is made, so a purchase can always show what was bought.
"""

import uuid
from collections.abc import Iterable

from django.db import models
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual
from django.urls import reverse

from billing.models import Transfer
from governance.models import Moderated, User
from training.models import Category, Model, Validation
from training.services import COMPUTE_PRICE_MICROCREDITS

# Letters. Long enough for a thorough model card; a reader of Markdown is not linear in its length.
DESCRIPTION_LENGTH_MAX = 20_000


class Plan(models.TextChoices):
    FREE = "free", "Free"
    STANDARD = "standard", "Standard"
    PREMIUM = "premium", "Premium"
    CUSTOM = "custom", "Custom"


class TemplateQuerySet(models.QuerySet["Template"]):
    def public(self) -> "TemplateQuerySet":
        return self.filter(status=Template.Status.PUBLIC, hidden_at=None)

    def visible_to(self, user: User | None) -> "TemplateQuerySet":
        """Public ones for everyone, a person's own for that person in any state."""
        shown = models.Q(status=Template.Status.PUBLIC, hidden_at=None)
        return self.filter(shown | models.Q(owner=user)) if user else self.filter(shown)

    def of(self, user: User) -> "TemplateQuerySet":
        return self.filter(owner=user)

    def with_current(self) -> "TemplateQuerySet":
        """With all that a card or a page shows, in two queries however many there are."""
        versions = TemplateVersion.objects.select_related("model__job__dataset", "validation")
        return self.select_related("owner").prefetch_related(
            models.Prefetch("versions", queryset=versions)
        )


class Template(Moderated):
    """What an author offers."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        IN_REVIEW = "in_review", "In review"
        PUBLIC = "public", "Public"
        REJECTED = "rejected", "Rejected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="templates")
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=80)
    summary = models.CharField(max_length=160, blank=True)
    description = models.TextField()
    category = models.CharField(max_length=16, choices=Category)
    plan = models.CharField(max_length=10, choices=Plan)
    price_microcredits = models.BigIntegerField(default=0)
    call_price_microcredits = models.BigIntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    review_note = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True, editable=False)

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(price_microcredits__gte=0, call_price_microcredits__gte=0),
                name="template_prices_are_not_negative",
            ),
            models.CheckConstraint(
                condition=~models.Q(plan="free") | models.Q(price_microcredits=0),
                name="template_of_the_free_plan_costs_nothing",
            ),
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("description"), DESCRIPTION_LENGTH_MAX),
                name="template_description_is_readable",
            ),
        ]
        indexes = [
            # The catalogue's first page.
            models.Index(
                fields=["-published_at"],
                condition=models.Q(status="public", hidden_at=None),
                name="public_templates",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:template", args=[self.slug])

    def hide(self, reason: str) -> None:
        """Hidden from everyone, and no longer answering anybody."""
        super().hide(reason)
        deployments = Deployment.objects.active().filter(version__template=self)
        deployments.update(stopped_at=Now())

    @property
    def charged_microcredits(self) -> int:
        """What a row costs others: what the author asks, and the compute at least."""
        return max(self.call_price_microcredits, COMPUTE_PRICE_MICROCREDITS)

    @property
    def current(self) -> "TemplateVersion":
        """The newest version; a template is made together with its first."""
        return self.versions.all()[0]


class TemplateVersion(models.Model):
    """One model under a template, with the validation that measured it."""

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="versions")
    validation = models.ForeignKey(Validation, on_delete=models.PROTECT, related_name="+")
    changelog = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="one_version_per_number"),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.number}"


class PurchaseQuerySet(models.QuerySet["Purchase"]):
    def of(self, user: User) -> "PurchaseQuerySet":
        return self.filter(buyer=user)

    def per_template(self, templates: Iterable[Template]) -> dict[uuid.UUID, int]:
        """How often each of these was bought or taken; those never are left out."""
        counted = self.filter(template__in=templates).values("template").order_by()
        return dict(counted.values_list("template").annotate(models.Count("pk")))


class Purchase(models.Model):
    """The right to deploy a template, with the price and split as they were that day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    buyer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="purchases")
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="purchases")
    version = models.ForeignKey(TemplateVersion, on_delete=models.PROTECT, related_name="+")
    price_microcredits = models.BigIntegerField()
    author_microcredits = models.BigIntegerField()
    platform_microcredits = models.BigIntegerField()
    transfer = models.OneToOneField(Transfer, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(db_default=Now(), editable=False)

    objects = PurchaseQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["buyer", "template"], name="bought_once"),
            models.CheckConstraint(
                condition=models.Q(
                    price_microcredits=models.F("author_microcredits")
                    + models.F("platform_microcredits")
                ),
                name="purchase_is_split_without_remainder",
            ),
            models.CheckConstraint(
                condition=models.Q(price_microcredits=0) | models.Q(transfer__isnull=False),
                name="paid_purchase_has_its_transfer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.buyer} bought {self.template}"


class DeploymentQuerySet(models.QuerySet["Deployment"]):
    def of(self, user: User) -> "DeploymentQuerySet":
        return self.filter(owner=user)

    def active(self) -> "DeploymentQuerySet":
        return self.filter(stopped_at=None)


class Deployment(models.Model):
    """A model that answers one person's predictions."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="deployments")
    version = models.ForeignKey(
        TemplateVersion, on_delete=models.PROTECT, related_name="deployments"
    )
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="deployments")
    name = models.CharField(max_length=80)
    call_price_microcredits = models.BigIntegerField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    stopped_at = models.DateTimeField(null=True, editable=False)

    objects = DeploymentQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "version"],
                condition=models.Q(stopped_at=None),
                name="one_active_deployment_per_version",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:deployment", args=[self.pk])

    @property
    def is_over(self) -> bool:
        return self.stopped_at is not None
