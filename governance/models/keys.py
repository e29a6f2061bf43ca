"""API keys."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from governance.models.people import User


class Scope(models.TextChoices):
    """What an API key may do in its owner's name."""

    MODELS_READ = "models:read", "Read models, jobs and templates"
    TRAIN = "train", "Train and validate"
    PREDICT = "predict", "Predict"
    PUBLISH = "market:publish", "Publish"
    BUY = "market:buy", "Buy and deploy"
    BILLING_READ = "billing:read", "Read the wallet"
    NOTICES_READ = "notices:read", "Read what you are told"
    WEBHOOKS = "webhooks", "Set up webhooks"


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
