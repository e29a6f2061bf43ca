"""Questions and other talk about a template."""

import uuid

from django.db import models
from django.db.models.functions import Now
from django.urls import reverse

from governance.models import Moderated, User
from marketplace.models.templates import Template

TITLE_LENGTH_MAX = 120
POST_LENGTH_MAX = 10_000


class ThreadQuerySet(models.QuerySet["Thread"]):
    def visible_to(self, user: User | None) -> "ThreadQuerySet":
        shown = models.Q(hidden_at=None)
        return self.filter(shown | models.Q(author=user)) if user else self.filter(shown)


class Thread(Moderated):
    """A question, which one of its posts may answer, or a discussion."""

    class Kind(models.TextChoices):
        QUESTION = "question", "Question"
        DISCUSSION = "discussion", "Discussion"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="threads")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="threads")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.QUESTION)
    title = models.CharField(max_length=TITLE_LENGTH_MAX)
    is_pinned = models.BooleanField(default=False, editable=False)
    locked_at = models.DateTimeField(null=True, editable=False)
    answer = models.ForeignKey(
        "Post", on_delete=models.SET_NULL, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    active_at = models.DateTimeField(db_default=Now(), editable=False)  # the last post's

    objects = ThreadQuerySet.as_manager()

    class Meta:
        ordering = ["-is_pinned", "-active_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind="question") | models.Q(answer=None),
                name="only_a_question_has_an_answer",
            ),
        ]
        indexes = [
            models.Index(fields=["template", "-is_pinned", "-active_at"], name="latest_threads"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("marketplace:thread", args=[self.template.slug, self.pk])


class PostQuerySet(models.QuerySet["Post"]):
    def visible_to(self, user: User | None) -> "PostQuerySet":
        shown = models.Q(hidden_at=None)
        return self.filter(shown | models.Q(author=user)) if user else self.filter(shown)


class Post(Moderated):
    """What one person says in a thread, in Markdown."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.PROTECT, related_name="posts")
    author = models.ForeignKey(User, on_delete=models.PROTECT, related_name="posts")
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    edited_at = models.DateTimeField(null=True, editable=False)

    objects = PostQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        indexes = [models.Index(fields=["thread", "created_at"], name="posts_in_order")]

    def __str__(self) -> str:
        return f"{self.author} in {self.thread}"

    def get_absolute_url(self) -> str:
        """Of the page of the thread that it stands on."""
        return f"{self.thread.get_absolute_url()}?post={self.pk}#post-{self.pk}"
