"""The wallet for programs. Amounts are exact decimal strings of credits, six places at most."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import forms
from billing import services as billing
from governance.models import Scope, User


@extend_schema_field(OpenApiTypes.STR)
class Credits(serializers.Field[int, Any, str, int]):
    """Micro-credits, written as credits."""

    def to_representation(self, value: int) -> str:
        return billing.credits(value)


class HoldSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reason = serializers.CharField()
    amount_credits = Credits(source="amount_microcredits")
    captured_credits = Credits(source="captured_microcredits")
    opened_at = serializers.DateTimeField()


class MovementSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="transfer.pk")
    at = serializers.DateTimeField(source="transfer.at")
    kind = serializers.CharField(source="transfer.kind")
    memo = serializers.CharField(source="transfer.memo")
    amount_credits = Credits(source="amount_microcredits")
    balance_credits = Credits(source="balance_microcredits", help_text="After the movement.")


class WalletSerializer(serializers.Serializer[Any]):
    available_credits = Credits(
        source="available_microcredits", help_text="What can be spent now: all, less what is held."
    )
    promotional_credits = Credits(source="promotional_microcredits")
    paid_credits = Credits(source="paid_microcredits")
    earned_credits = Credits(source="earned_microcredits")
    held_credits = Credits(source="held_microcredits")
    holds = HoldSerializer(many=True)
    movements = MovementSerializer(many=True, help_text="Newest first.")
    next = serializers.SerializerMethodField(help_text="The address of older movements.")

    def get_next(self, wallet: billing.Wallet) -> str | None:
        if wallet.next_before is None:
            return None
        request = self.context["request"]
        return str(request.build_absolute_uri(f"{request.path}?before={wallet.next_before}"))


class WalletView(APIView):
    required_scope = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="wallet",
        summary="Your balance, open holds and movements",
        parameters=[
            OpenApiParameter("before", int, description="Movements older than this one's id.")
        ],
        responses=WalletSerializer,
    )
    def get(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        wallet = billing.wallet(user=request.user, before=forms.cursor(request.query_params))
        return Response(WalletSerializer(wallet, context={"request": request}).data)
