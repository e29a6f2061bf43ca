"""Ratings and reviews, for programs."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.requests import CURSOR, IDEMPOTENCY_KEY, caller, once, page
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.found import GONE, found_template
from marketplace.models import Review
from marketplace.models.reviews import REVIEW_LENGTH_MAX
from marketplace.services import reviews


class RateRequest(serializers.Serializer[Any]):
    rating = serializers.IntegerField(min_value=1, max_value=5, help_text="stars")
    review = serializers.CharField(
        max_length=REVIEW_LENGTH_MAX, default="", allow_blank=True, help_text="in words"
    )


class RateAnswer(serializers.Serializer[Any]):
    success = serializers.BooleanField()
    review_id = serializers.UUIDField()
    avgRating = serializers.FloatField(allow_null=True, help_text="of those that count; 1 decimal")
    totalRatings = serializers.IntegerField()
    is_held = serializers.BooleanField(help_text="a moderator looks at it before it counts")
    message = serializers.CharField()


class ReviewBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    author = serializers.CharField(source="author.username")
    rating = serializers.IntegerField()
    text = serializers.CharField()
    version = serializers.IntegerField(source="version.number")
    reply = serializers.CharField(help_text="of the template's author")
    helpful = serializers.IntegerField()
    unhelpful = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    edited_at = serializers.DateTimeField(allow_null=True)


class ReviewPage(serializers.Serializer[Any]):
    reviews = ReviewBody(many=True)
    avgRating = serializers.FloatField(allow_null=True)
    totalRatings = serializers.IntegerField()
    next = serializers.URLField(allow_null=True)


class ReviewQuery(serializers.Serializer[Any]):
    sort = serializers.ChoiceField(Review.Sort.choices, default=Review.Sort.HELPFUL)
    limit = serializers.IntegerField(default=20, min_value=1, max_value=100)


class Ratings(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(
        operation_id="list_reviews",
        parameters=[ReviewQuery, CURSOR],
        responses={200: ReviewPage, **GONE},
    )
    def get(self, request: Request, template_id: uuid.UUID) -> Response:
        """What people who have the template say of it."""
        asked = ReviewQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        user = caller(request)
        template = found_template(request, template_id)
        rows = Review.objects.visible_to(user).filter(template=template)
        shown, following = page(
            request,
            rows.select_related("author", "version"),
            ordering=reviews.ORDERS[Review.Sort(asked.validated_data["sort"])],
            length=asked.validated_data["limit"],
        )
        rating = marketplace.rating_of(template)
        return Response(
            {
                "reviews": ReviewBody(shown, many=True).data,
                "avgRating": rating.mean,
                "totalRatings": rating.count,
                "next": following,
            }
        )

    @extend_schema(
        operation_id="neural_rate_template",
        request=RateRequest,
        responses={201: RateAnswer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Rate a template you have, 1 to 5; a second call changes what the first one said."""
        asked = RateRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        reviewer = caller(request)
        template = found_template(request, template_id)

        def act() -> tuple[int, dict[str, Any]]:
            review = marketplace.review_template(
                reviewer=reviewer,
                template=template,
                rating=asked.validated_data["rating"],
                text=asked.validated_data["review"],
            )
            rating = marketplace.rating_of(template)
            return 201, {
                "success": True,
                "review_id": str(review.pk),
                "avgRating": rating.mean,
                "totalRatings": rating.count,
                "is_held": review.held_at is not None,
                "message": f"You gave “{template.name}” {review.rating} of 5.",
            }

        return once(request, act)
