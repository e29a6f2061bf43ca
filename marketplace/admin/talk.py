"""Reviews, discussions and collections: what people say, for moderators."""

from functools import partial

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from governance import services as governance
from governance.admin import ModeratedAdmin, dialog
from marketplace import services as marketplace
from marketplace.models import Collection, Post, Review, Thread


@admin.register(Review)
class ReviewAdmin(ModeratedAdmin):
    list_display = ["template", "author", "rating", "created_at", "held_at"]
    list_filter = [
        ("held_at", admin.EmptyFieldListFilter),
        ("hidden_at", admin.EmptyFieldListFilter),
    ]
    search_fields = ["template__name", "author__username", "text"]
    list_select_related = ["template", "author"]
    actions_detail = ["release", "hide", "restore"]

    def has_release_permission(self, request: HttpRequest, object_id: str = "") -> bool:
        review = self.row_for(request, object_id, governance.HIDING_ROLES)
        return review is not None and review.held_at is not None

    @dialog(
        "Release",
        permission="release",
        question="Let this review count?",
        consequence="It came in a burst and was held; from now on it is part of the rating.",
    )
    def release(self, request: HttpRequest, form: forms.Form, object_id: str) -> HttpResponse:
        review = Review.objects.get(pk=object_id)
        act = partial(marketplace.release_review, review=review)
        return self.answer(request, act, f"“{review}” counts.")


@admin.register(Thread)
class ThreadAdmin(ModeratedAdmin):
    list_display = ["title", "template", "author", "kind", "created_at", "hidden_at"]
    list_filter = ["kind", ("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["title", "author__username", "template__name"]
    list_select_related = ["template", "author"]


@admin.register(Post)
class PostAdmin(ModeratedAdmin):
    list_display = ["thread", "author", "created_at", "hidden_at"]
    list_filter = [("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["text", "author__username"]
    list_select_related = ["thread", "author"]


@admin.register(Collection)
class CollectionAdmin(ModeratedAdmin):
    list_display = ["name", "owner", "is_public", "changed_at", "hidden_at"]
    list_filter = ["is_public", ("hidden_at", admin.EmptyFieldListFilter)]
    search_fields = ["name", "owner__username"]
    list_select_related = ["owner"]
