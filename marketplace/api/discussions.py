"""Questions and discussions of templates, for programs."""

import uuid
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import listed, page_of
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.found import GONE, found_template
from marketplace.models import Post, Thread
from marketplace.models.discussions import POST_LENGTH_MAX, TITLE_LENGTH_MAX


class ThreadRequest(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(Thread.Kind.choices, default=Thread.Kind.QUESTION)
    title = serializers.CharField(max_length=TITLE_LENGTH_MAX)
    text = serializers.CharField(max_length=POST_LENGTH_MAX, help_text="Markdown")


class ThreadSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    template_id = serializers.UUIDField()
    kind = serializers.ChoiceField(Thread.Kind.choices)
    title = serializers.CharField()
    author = serializers.CharField(source="author.username")
    is_pinned = serializers.BooleanField()
    locked_at = serializers.DateTimeField(allow_null=True, help_text="nothing is added since")
    answer_id = serializers.UUIDField(allow_null=True, help_text="the post that answers it")
    created_at = serializers.DateTimeField()
    active_at = serializers.DateTimeField(help_text="of the last post")


class PostRequest(serializers.Serializer[Any]):
    text = serializers.CharField(max_length=POST_LENGTH_MAX, help_text="Markdown")


class PostSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    thread_id = serializers.UUIDField()
    author = serializers.CharField(source="author.username")
    text = serializers.CharField()
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


ThreadPage = page_of("threads", ThreadSerializer)
PostPage = page_of("posts", PostSerializer)


def threads_of(request: Request) -> QuerySet[Thread]:
    rows = Thread.objects.visible_to(caller(request))
    return rows.select_related("author", "template__owner")


def found_thread(request: Request, thread_id: uuid.UUID) -> Thread:
    """Of a template that the caller may see. Raises Http404, TemplateNotAvailable."""
    thread = get_object_or_404(threads_of(request), pk=thread_id)
    found_template(request, thread.template_id)
    return thread


class Threads(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(
        operation_id="list_threads", parameters=PAGE, responses={200: ThreadPage, **GONE}
    )
    def get(self, request: Request, template_id: uuid.UUID) -> Response:
        """What is asked and said about a template, the last that moved first."""
        template = found_template(request, template_id)
        rows = threads_of(request).filter(template=template)
        return listed(request, ThreadPage, rows, ordering=("-active_at", "-created_at"))

    @extend_schema(
        operation_id="start_thread",
        request=ThreadRequest,
        responses={201: ThreadSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Ask something about a template, or talk about it; its author is told."""
        asked = ThreadRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        author = caller(request)
        template = found_template(request, template_id)

        def act() -> tuple[int, dict[str, Any]]:
            thread = marketplace.start_thread(
                author=author,
                template=template,
                title=asked.validated_data["title"],
                text=asked.validated_data["text"],
                kind=Thread.Kind(asked.validated_data["kind"]),
            )
            thread.refresh_from_db()
            return 201, dict(ThreadSerializer(thread).data)

        return once(request, act)


class Posts(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(operation_id="list_posts", parameters=PAGE, responses={200: PostPage, **GONE})
    def get(self, request: Request, thread_id: uuid.UUID) -> Response:
        """The posts of a thread, the first first."""
        thread = found_thread(request, thread_id)
        rows = Post.objects.visible_to(caller(request)).filter(thread=thread)
        return listed(request, PostPage, rows.select_related("author"), ordering=("created_at",))

    @extend_schema(
        operation_id="add_post",
        request=PostRequest,
        responses={201: PostSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, thread_id: uuid.UUID) -> Response:
        """Answer in a thread that is not locked."""
        asked = PostRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        thread = found_thread(request, thread_id)

        def act() -> tuple[int, dict[str, Any]]:
            post = marketplace.add_post(
                author=caller(request), thread=thread, text=asked.validated_data["text"]
            )
            post.refresh_from_db()
            return 201, dict(PostSerializer(post).data)

        return once(request, act)
