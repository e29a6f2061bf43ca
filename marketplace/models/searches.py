"""Searches that people keep, and what each of them has found since."""

import uuid

from django.db import models
from django.db.models.functions import MD5, Now
from django.urls import reverse
from django.utils.http import urlencode

from governance.models import User
from marketplace.models.templates import Template

QUERY_LENGTH_MAX = 2_000
SAVED_MAX = 50  # of one person: each is looked for again and again


class SavedSearchQuerySet(models.QuerySet["SavedSearch"]):
    def of(self, user: User) -> "SavedSearchQuerySet":
        return self.filter(owner=user)

    def with_new(self) -> "SavedSearchQuerySet":
        """With `new`: what it found since its owner last looked, as far as it still is on offer."""
        offered = models.Q(
            matches__template__current__isnull=False,
            matches__template__withdrawn_at=None,
            matches__template__hidden_at=None,
        )
        since = models.Q(matches__found_at__gt=models.F("looked_at"))
        return self.annotate(new=models.Count("matches", filter=since & offered))


class SavedSearch(models.Model):
    """The state of the catalogue's address, under a name; its owner's alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_searches")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=QUERY_LENGTH_MAX, blank=True)  # in its shortest spelling
    sort = models.CharField(max_length=20)
    is_exact = models.BooleanField(default=False)  # words as they are spelled, corrected by nobody
    has_alerts = models.BooleanField(default=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    looked_at = models.DateTimeField(db_default=Now(), editable=False)  # by its owner
    swept_at = models.DateTimeField(db_default=Now(), editable=False)  # by the clock

    objects = SavedSearchQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            # Who saves the same twice would be told everything twice. A digest, since an index
            # takes no text of such length.
            models.UniqueConstraint(
                models.F("owner"),
                MD5("query"),
                models.F("is_exact"),
                name="one_saved_search_per_query",
            ),
            models.CheckConstraint(condition=~models.Q(name=""), name="saved_search_has_a_name"),
        ]
        indexes = [models.Index(fields=["swept_at"], name="saved_searches_by_sweep")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("marketplace:saved_search", args=[self.pk])

    def catalogue_url(self, sort: str = "") -> str:
        state = {
            "q": self.query,
            "sort": sort or self.sort,
            "exact": "on" if self.is_exact else "",
        }
        said = urlencode({name: value for name, value in state.items() if value})
        return f"{reverse('marketplace:catalogue')}?{said}"


class SavedMatch(models.Model):
    """A template that a saved search has found, when it was published or by looking."""

    search = models.ForeignKey(SavedSearch, on_delete=models.CASCADE, related_name="matches")
    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="+")
    found_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            # Its owner is told of what becomes a match, so of nothing twice.
            models.UniqueConstraint(
                fields=["search", "template"], name="one_match_per_saved_search"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.template} for {self.search}"
