"""Buying templates, for programs."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.answers import Millionths
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.found import GONE, found_template
from marketplace.models import Purchase


class BuyRequest(serializers.Serializer[Any]):
    """What the caller saw; where that is no longer on offer, nothing is bought."""

    version = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="this one, or none"
    )
    at_most_credits = serializers.DecimalField(
        13, 6, required=False, min_value=0, help_text="for no more than this"
    )


class PurchaseSerializer(serializers.Serializer[Purchase]):
    purchase_id = serializers.UUIDField(source="pk")
    price_credits = Millionths(source="price_microcredits")
    author_credits = Millionths(source="author_microcredits")
    platform_credits = Millionths(source="platform_microcredits")


class Purchases(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_buy_template",
        request=BuyRequest,
        responses={201: PurchaseSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Buy a template: the price moves, 70 % of it to the author. Who says which version they
        saw, or what they pay at most, is charged for nothing else.
        """
        buyer = caller(request)
        template = found_template(request, template_id)
        asked = BuyRequest(data=request.data or {})
        asked.is_valid(raise_exception=True)
        seen = dict(asked.validated_data)
        if "at_most_credits" in seen:
            seen["at_most_microcredits"] = billing.microcredits(seen.pop("at_most_credits"))

        def act() -> tuple[int, dict[str, Any]]:
            purchase = marketplace.buy_template(buyer=buyer, template=template, **seen)
            return 201, PurchaseSerializer(purchase).data

        return once(request, act)
