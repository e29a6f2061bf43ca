"""What an author offers: templates, and the line of their versions.

    draft ⇄ submitted ──▶ in_review ──▶ approved ──▶ published ⇄ deprecated
      ▲         │             │  └──▶ rejected  └────────┴───────┴──▶ withdrawn
      └── changes_requested ◀─┘

A version binds a model, the validation whose numbers the page shows, the words and the terms. They
may change while it is a draft; from its submission on the database refuses that, as it refuses any
step that is no arrow above. Its words become the template's when it is published, and until then
the page says what it said. A template that a moderator hides (`Moderated`) is removed, whatever its
versions are.
"""

import uuid

from django.db import models
from django.db.models.functions import Length, Now
from django.db.models.lookups import LessThanOrEqual
from django.urls import reverse

from governance import services as governance
from governance.models import Moderated, NoticeType, User
from training.models import Category, Model, Validation
from training.services import COMPUTE_PRICE_MICROCREDITS

# Letters. Long enough for a thorough model card; a reader of Markdown is not linear in its length.
DESCRIPTION_LENGTH_MAX = 20_000
NAME_LENGTH_MAX = 80
SUMMARY_LENGTH_MAX = 160
CHANGELOG_LENGTH_MAX = 5_000
REASON_LENGTH_MAX = 1_000
TRIES, TRIES_MAX = 10, 100  # a member's free answers a day, of one template


def own_file() -> list[str]:
    """The kinds of files that buyers get unless the author says otherwise."""
    return ["safetensors"]


class Plan(models.TextChoices):
    FREE = "free", "Free"
    STANDARD = "standard", "Standard"
    PREMIUM = "premium", "Premium"
    CUSTOM = "custom", "Custom"


class TemplateQuerySet(models.QuerySet["Template"]):
    def public(self) -> "TemplateQuerySet":
        """On offer: published, and neither withdrawn by the author nor hidden by a moderator."""
        return self.filter(current__isnull=False, withdrawn_at=None, hidden_at=None)

    def visible_to(self, user: User | None) -> "TemplateQuerySet":
        """Public ones for everyone; for a person what they bought, too, until a moderator hides it,
        and their own in any state. `services.find_offer` says the same of one.
        """
        shown = models.Q(current__isnull=False, withdrawn_at=None, hidden_at=None)
        if user is None:
            return self.filter(shown)
        bought = models.Q(hidden_at=None, pk__in=user.purchases.order_by().values("template"))
        return self.filter(shown | bought | models.Q(owner=user))

    def known_to(self, user: User | None) -> "TemplateQuerySet":
        """What was public once, for its address lasts; and a person's own, which never was."""
        known = models.Q(published_at__isnull=False)
        return self.filter(known | models.Q(owner=user)) if user else self.filter(known)

    def of(self, user: User) -> "TemplateQuerySet":
        return self.filter(owner=user)

    def with_current(self) -> "TemplateQuerySet":
        """With all that a card or a page shows, in two queries however many there are."""
        versions = TemplateVersion.objects.select_related("model__job__dataset", "validation")
        return self.select_related("owner").prefetch_related(
            models.Prefetch("versions", queryset=versions)
        )


class Template(Moderated):
    """What an author offers, under one address that lasts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="templates")
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=NAME_LENGTH_MAX)
    summary = models.CharField(max_length=SUMMARY_LENGTH_MAX, blank=True)
    description = models.TextField(blank=True)
    category = models.CharField(max_length=16, choices=Category)
    current = models.ForeignKey(  # the newest that is published; none until one is
        "TemplateVersion", on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    published_at = models.DateTimeField(null=True, editable=False)  # first
    withdrawn_at = models.DateTimeField(null=True, editable=False)
    withdrawn_reason = models.TextField(blank=True, editable=False)
    daily_tries = models.PositiveSmallIntegerField(default=TRIES)  # free, a member's a day

    objects = TemplateQuerySet.as_manager()

    class Meta:
        ordering = ["-published_at", "-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("description"), DESCRIPTION_LENGTH_MAX),
                name="template_description_is_readable",
            ),
            models.CheckConstraint(
                condition=models.Q(daily_tries__lte=TRIES_MAX),
                name="template_is_not_given_away_by_tries",
            ),
            models.CheckConstraint(
                condition=models.Q(current=None) | models.Q(published_at__isnull=False),
                name="template_with_a_current_version_was_published",
            ),
        ]
        indexes = [
            # The catalogue's first page.
            models.Index(
                fields=["-published_at"],
                condition=models.Q(current__isnull=False, withdrawn_at=None, hidden_at=None),
                name="templates_on_offer",
            ),
            models.Index(
                fields=["name"], name="templates_by_name"
            ),  # as people name them to compare
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:template", args=[self.slug])

    def hide(self, reason: str) -> None:
        """Hidden from everyone, and no longer answering anybody; whom that concerns is told."""
        super().hide(reason)
        url, data = self.get_absolute_url(), {"template_id": str(self.pk)}
        why = f"A moderator has hidden “{self.name}”."
        governance.tell(
            user=self.owner,
            type=NoticeType.TEMPLATE_REMOVED,
            text=f"A moderator has hidden your “{self.name}”: {reason}",
            url=url,
            data=data,
        )
        answering = self.deployments.filter(stopped_at=None)
        others = User.objects.filter(deployments__in=answering).exclude(pk=self.owner_id)
        governance.tell_all(
            users=others.distinct(),
            type=NoticeType.DEPLOYMENT_STOPPED,
            text=f"Your deployment of “{self.name}” was stopped: a moderator has hidden it.",
            url=url,
            data=data,
        )
        answering.update(stopped_at=Now(), stopped_reason=why)

    @property
    def is_public(self) -> bool:
        return bool(self.current_id) and self.withdrawn_at is None and self.hidden_at is None

    @property
    def is_waiting(self) -> bool:
        """Whether one of its versions waits for a decision."""
        return self.waiting is not None

    @property
    def waiting(self) -> "TemplateVersion | None":
        return next((version for version in self.versions.all() if version.is_waiting), None)

    @property
    def newest(self) -> "TemplateVersion":
        """The last one made, in any state; a template is made together with its first."""
        return self.versions.all()[0]

    @property
    def shown(self) -> "TemplateVersion":
        """What its page is about: the current version, or the newest until one is published."""
        versions = list(self.versions.all())
        return next((one for one in versions if one.pk == self.current_id), versions[0])

    @property
    def state(self) -> "TemplateVersion.Status | Gone":
        """Where it stands as a whole, as people are told."""
        if self.hidden_at is not None:
            return Gone.REMOVED
        if self.withdrawn_at is not None:
            return Gone.WITHDRAWN
        return TemplateVersion.Status(self.shown.status)


class Gone(models.TextChoices):
    """Why a template that was public no longer is."""

    REMOVED = "removed", "Removed"
    WITHDRAWN = "withdrawn", "Withdrawn"


class TemplateVersionQuerySet(models.QuerySet["TemplateVersion"]):
    def open(self) -> "TemplateVersionQuerySet":
        """On the way to a decision."""
        return self.filter(status__in=TemplateVersion.OPEN)

    def published(self) -> "TemplateVersionQuerySet":
        """On offer or once on offer, the newest first."""
        return self.filter(published_at__isnull=False)

    def waiting(self) -> "TemplateVersionQuerySet":
        """For a moderator, who comes first first."""
        return self.filter(status__in=TemplateVersion.WAITING).order_by("submitted_at")


class TemplateVersion(models.Model):
    """One model under a template, with the validation that measured it, and its price."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        SUBMITTED = "submitted", "Submitted"
        IN_REVIEW = "in_review", "In review"
        CHANGES_REQUESTED = "changes_requested", "Changes requested"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        PUBLISHED = "published", "Published"
        DEPRECATED = "deprecated", "Deprecated"
        WITHDRAWN = "withdrawn", "Withdrawn"

    EDITABLE = (Status.DRAFT, Status.CHANGES_REQUESTED)
    WAITING = (Status.SUBMITTED, Status.IN_REVIEW)
    OPEN = (*EDITABLE, *WAITING, Status.APPROVED)

    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="versions")
    validation = models.ForeignKey(  # bound when it is submitted
        Validation, on_delete=models.PROTECT, null=True, related_name="+"
    )
    plan = models.CharField(max_length=10, choices=Plan, default=Plan.FREE)
    price_microcredits = models.BigIntegerField(default=0)
    call_price_microcredits = models.BigIntegerField(default=0)
    monthly_calls = models.PositiveIntegerField(default=0)  # included each month, per buyer
    words = models.JSONField(default=dict)  # its name, summary, description and category
    files = models.JSONField(default=own_file)  # the kinds that buyers get
    examples = models.JSONField(
        default=list
    )  # questions that its page offers, as the API takes them
    changelog = models.TextField(blank=True)
    publishes_at_once = models.BooleanField(default=True)  # when approved, or when its author says
    status = models.CharField(max_length=17, choices=Status, default=Status.DRAFT)
    review_note = models.TextField(blank=True)  # the last decision's, for the author
    ended_reason = models.TextField(blank=True)  # why it is deprecated or withdrawn
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    claimed_by = models.ForeignKey(  # the moderator who looks at it, until it is decided
        User, on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    claimed_at = models.DateTimeField(null=True, editable=False)
    submitted_at = models.DateTimeField(null=True, editable=False)
    published_at = models.DateTimeField(null=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False)  # by trigger, with `ended_reason`

    objects = TemplateVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="one_version_per_number"),
            models.UniqueConstraint(
                fields=["template"],
                condition=models.Q(
                    status__in=[
                        "draft",
                        "changes_requested",
                        "submitted",
                        "in_review",
                        "approved",
                    ]
                ),
                name="one_open_version_per_template",
            ),
            models.CheckConstraint(
                condition=models.Q(price_microcredits__gte=0, call_price_microcredits__gte=0),
                name="version_prices_are_not_negative",
            ),
            models.CheckConstraint(
                condition=~models.Q(plan="free") | models.Q(price_microcredits=0),
                name="version_of_the_free_plan_costs_nothing",
            ),
            models.CheckConstraint(
                condition=models.Q(status__in=["draft", "changes_requested"])
                | models.Q(validation__isnull=False, submitted_at__isnull=False),
                name="submitted_version_is_measured",
            ),
            models.CheckConstraint(
                condition=~models.Q(status__in=["published", "deprecated"])
                | models.Q(published_at__isnull=False),
                name="published_version_says_since_when",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} {self.number}"

    @property
    def is_editable(self) -> bool:
        return self.status in self.EDITABLE

    @property
    def is_waiting(self) -> bool:
        return self.status in self.WAITING

    @property
    def submission(self) -> str:
        """Names what is decided on: this version as it was submitted that time."""
        return f"{self.number} of {self.submitted_at.isoformat()}" if self.submitted_at else ""

    @property
    def is_decided(self) -> bool:
        """By a moderator, as it is now."""
        return not self.is_waiting and self.status != self.Status.DRAFT

    @property
    def is_discardable(self) -> bool:
        """What was submitted once stays, since others may have read it."""
        return self.status == self.Status.DRAFT and self.submitted_at is None

    @property
    def charged_microcredits(self) -> int:
        """What a row costs others: what the author asks, and the compute at least."""
        return max(self.call_price_microcredits, COMPUTE_PRICE_MICROCREDITS)
