"""People, their roles and keys, the audit trail, and what it means to be moderated.

Why the chain is written by the database: a hash chain has one writer at a time. If services took
that lock in the middle of their work, two of them could wait for each other's rows for ever. A
deferred trigger takes it at COMMIT, when every other lock is already held, so it cannot deadlock,
and no door can forget it. `AuditLink` is that chain; entries and links refuse UPDATE, DELETE and
TRUNCATE (see the migration).
"""

import uuid

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Role(models.TextChoices):
    """What a person may do beyond what every member may."""

    AUTHOR = "author", "Author"
    REVIEWER = "reviewer", "Reviewer"
    MODERATOR = "moderator", "Moderator"
    SENIOR_MODERATOR = "senior_moderator", "Senior moderator"
    FINANCE = "finance", "Finance"
    ADMIN = "admin", "Administrator"


class User(AbstractUser):
    """A person. The id is public, so it tells nothing about the order of sign-ups."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField("e-mail address", unique=True)

    def has_role(self, *roles: Role) -> bool:
        return self.is_superuser or self.role_grants.filter(role__in=roles).exists()


class RoleGrant(models.Model):
    """A role given to a person by a person."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_grants")
    role = models.CharField(max_length=20, choices=Role)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    granted_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "role"], name="one_grant_per_role"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="role_grant_role_is_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()}"


class Scope(models.TextChoices):
    """What an API key may do in its owner's name."""

    MODELS_READ = "models:read", "Read models, jobs and templates"
    TRAIN = "train", "Train and validate"
    PREDICT = "predict", "Predict"
    PUBLISH = "market:publish", "Publish"
    BUY = "market:buy", "Buy and deploy"
    BILLING_READ = "billing:read", "Read the wallet"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def of(self, user: User) -> "ApiKeyQuerySet":
        return self.filter(owner=user)

    def usable(self) -> "ApiKeyQuerySet":
        return self.filter(revoked_at=None).exclude(expires_at__lte=Now())


class ApiKey(models.Model):
    """A secret shown once; what is stored can check it and cannot reveal it."""

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12, unique=True)  # finds the row without the secret
    secret_sha256 = models.CharField(max_length=64)
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope))
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AuditEntry(models.Model):
    """One thing somebody did. Never edited, never deleted."""

    at = models.DateTimeField(db_default=Now(), editable=False)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    verb = models.CharField(max_length=60)
    subject_type = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=60)
    details = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        indexes = [
            # The history of one subject, as its page shows it.
            models.Index(fields=["subject_type", "subject_id", "-id"], name="audit_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject_type} {self.subject_id}"


class AuditLink(models.Model):
    """Binds an entry to all before it, in the order of commits. Written by a trigger only."""

    position = models.BigAutoField(primary_key=True)
    entry = models.OneToOneField(AuditEntry, on_delete=models.PROTECT, related_name="link")
    previous_hash = models.BinaryField()
    hash = models.BinaryField()

    def __str__(self) -> str:
        return f"link {self.position}"


class Answer(models.Model):
    """The stored answer to a request that carried an `Idempotency-Key`."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField()
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "route", "key"], name="one_answer_per_key"),
        ]
        indexes = [
            models.Index(fields=["created_at"], name="answers_by_age"),  # the old are forgotten
        ]

    def __str__(self) -> str:
        return f"answer to {self.route} {self.key}"


class Moderated(models.Model):
    """What people can see and a moderator can hide.

    Governance acts on rows of apps it must not import: it calls `hide` and `restore`, and an app
    whose row has consequences extends them.
    """

    hidden_at = models.DateTimeField(null=True, blank=True, editable=False)
    hidden_reason = models.TextField(blank=True, editable=False)

    class Meta:
        abstract = True

    def hide(self, reason: str) -> None:
        type(self)._base_manager.filter(pk=self.pk).update(hidden_at=Now(), hidden_reason=reason)

    def restore(self) -> None:
        type(self)._base_manager.filter(pk=self.pk).update(hidden_at=None, hidden_reason="")
