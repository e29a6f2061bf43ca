"""People and their roles."""

import uuid

from django.contrib.auth.models import AbstractUser
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
