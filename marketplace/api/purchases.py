"""Buying templates, for programs."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.requests import IDEMPOTENCY_KEY, caller, once
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import Template


class Purchases(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_buy_template",
        request=None,
        responses={201: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Buy a template: the price moves, 70 % of it to the author."""
        buyer = caller(request)
        template = get_object_or_404(Template.objects.visible_to(buyer), pk=template_id)

        def act() -> tuple[int, dict[str, Any]]:
            purchase = marketplace.buy_template(buyer=buyer, template=template)
            return 201, {
                "purchase_id": str(purchase.pk),
                "price_credits": billing.credits(purchase.price_microcredits),
                "author_credits": billing.credits(purchase.author_microcredits),
                "platform_credits": billing.credits(purchase.platform_microcredits),
            }

        return once(request, act)
