"""Peer review, for programs: what waits, and what one says of it oneself.

As on the pages: who may not review finds no version that waits, and what others said is nobody's to
read but the moderator's until it is decided.
"""

import uuid
from typing import Any

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import listed, page_of, tag, tagged
from governance.api.requests import caller, changed, once
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import PeerReview, TemplateVersion
from marketplace.models.peer_reviews import PEER_TEXT_LENGTH_MAX, Answer, Check
from training.models import Category


def answer_to(check: Check) -> serializers.ChoiceField:
    return serializers.ChoiceField(Answer.choices, help_text=check.label)


class AnswersSerializer(serializers.Serializer[Any]):
    words = answer_to(Check.WORDS)
    figures = answer_to(Check.FIGURES)
    limits = answer_to(Check.LIMITS)
    licence = answer_to(Check.LICENCE)
    works = answer_to(Check.WORKS)
    price = answer_to(Check.PRICE)


class PeerReviewRequest(serializers.Serializer[Any]):
    recommendation = serializers.ChoiceField(PeerReview.Recommendation.choices)
    answers = AnswersSerializer()
    text = serializers.CharField(
        max_length=PEER_TEXT_LENGTH_MAX, help_text="what you looked at, and why you recommend it"
    )


class PeerReviewSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    template_id = serializers.UUIDField(source="version.template_id")
    version = serializers.IntegerField(source="version.number")
    status = serializers.ChoiceField(TemplateVersion.Status.choices, source="version.status")
    recommendation = serializers.ChoiceField(PeerReview.Recommendation.choices)
    answers = AnswersSerializer()
    text = serializers.CharField()
    reproduction_id = serializers.UUIDField(
        allow_null=True, help_text="the training that you had run again to look at it"
    )
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class WaitingVersionSerializer(serializers.Serializer[Any]):
    template_id = serializers.UUIDField()
    version = serializers.IntegerField(source="number")
    name = serializers.CharField(source="words.name")
    category = serializers.ChoiceField(Category.choices, source="words.category")
    author = serializers.CharField(source="template.owner.username")
    status = serializers.ChoiceField(TemplateVersion.Status.choices)
    submitted_at = serializers.DateTimeField()
    reviews = serializers.IntegerField(help_text="how many members have reviewed it")
    is_reviewed = serializers.BooleanField(help_text="by you")
    is_own = serializers.BooleanField(help_text="which nobody reviews")
    is_mutual = serializers.BooleanField(
        help_text="its author reviews one of yours now, so you may not review it"
    )


WAITING = page_of("versions", WaitingVersionSerializer)
REVIEWS = page_of("reviews", PeerReviewSerializer)


def whole(review: PeerReview) -> dict[str, Any]:
    return dict(PeerReviewSerializer(review).data)


def waiting_version(request: Request, template_id: uuid.UUID, number: int) -> TemplateVersion:
    """For who may review it. To others it is not there, as to everybody once it is decided."""
    user = caller(request)
    if marketplace.why_unqualified(user):
        raise Http404
    return get_object_or_404(marketplace.reviewable(user), template=template_id, number=number)


def own_review(request: Request, template_id: uuid.UUID, number: int) -> PeerReview:
    rows = PeerReview.objects.current().filter(reviewer=caller(request))
    found = rows.filter(version__template=template_id, version__number=number)
    return get_object_or_404(found.select_related("version"))


def said(request: Request) -> dict[str, Any]:
    asked = PeerReviewRequest(data=request.data)
    asked.is_valid(raise_exception=True)
    return dict(asked.validated_data)


class WaitingVersions(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="list_waiting_versions", parameters=PAGE, responses=WAITING)
    def get(self, request: Request) -> Response:
        """What waits to be published, the oldest first; for who may review."""
        rows = marketplace.waiting_for(reviewer=caller(request))
        return listed(request, WAITING, rows, ordering=("submitted_at", "id"))


class PeerReviews(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="list_peer_reviews", parameters=PAGE, responses=REVIEWS)
    def get(self, request: Request) -> Response:
        """The reviews that you wrote, the newest first, and how each version stands now."""
        rows = PeerReview.objects.filter(reviewer=caller(request)).select_related("version")
        return listed(request, REVIEWS, rows)


class OnePeerReview(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.PUBLISH, "PUT": Scope.PUBLISH}

    @extend_schema(operation_id="get_peer_review", responses=PeerReviewSerializer)
    def get(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """What you said of a version."""
        return tagged(request, whole(own_review(request, template_id, number)))

    @extend_schema(
        operation_id="write_peer_review",
        request=PeerReviewRequest,
        responses={201: PeerReviewSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Say what you find of a version that waits; a second call changes what the first said."""
        version, data = waiting_version(request, template_id, number), said(request)

        def act() -> tuple[int, Any]:
            review = marketplace.review_version(reviewer=caller(request), version=version, **data)
            return 201, whole(review)

        return once(request, act)

    @extend_schema(
        operation_id="change_peer_review",
        request=PeerReviewRequest,
        responses=PeerReviewSerializer,
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
    )
    def put(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Change your review, until a moderator has decided."""
        version, data = waiting_version(request, template_id, number), said(request)

        def act(review: PeerReview) -> tuple[int, Any]:
            changes = marketplace.review_version(reviewer=caller(request), version=version, **data)
            return 200, whole(changes)

        response = changed(
            request, find=lambda: own_review(request, template_id, number), tell=whole, act=act
        )
        response["ETag"] = tag(response.data)
        return response
