"""The wallet for programs. Amounts are exact decimal strings of credits, six places at most."""

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import forms
from billing import services as billing
from governance.api.answers import Millionths, linked, tagged
from governance.api.requests import caller
from governance.api.schema import CURSOR
from governance.models import Scope


class HoldSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    reason = serializers.CharField()
    amount_credits = Millionths(source="amount_microcredits")
    captured_credits = Millionths(source="captured_microcredits")
    opened_at = serializers.DateTimeField()


class MovementSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="transfer.pk")
    at = serializers.DateTimeField(source="transfer.at")
    kind = serializers.CharField(source="transfer.kind")
    memo = serializers.CharField(source="transfer.memo")
    amount_credits = Millionths(source="amount_microcredits")
    balance_credits = Millionths(source="balance_microcredits", help_text="After the movement.")


class WalletSerializer(serializers.Serializer[Any]):
    available_credits = Millionths(
        source="available_microcredits", help_text="What can be spent now: all, less what is held."
    )
    promotional_credits = Millionths(source="promotional_microcredits")
    paid_credits = Millionths(source="paid_microcredits")
    earned_credits = Millionths(source="earned_microcredits")
    held_credits = Millionths(source="held_microcredits")
    holds = HoldSerializer(many=True)
    movements = MovementSerializer(many=True, help_text="Newest first.")
    next = serializers.SerializerMethodField(
        help_text="The address of older movements; null where there are none."
    )

    @extend_schema_field({"type": ["string", "null"], "format": "uri"})
    def get_next(self, wallet: billing.Wallet) -> str | None:
        if wallet.next_before is None:
            return None
        request = self.context["request"]
        return str(request.build_absolute_uri(f"{request.path}?cursor={wallet.next_before}"))


class WalletView(APIView):
    required_scope = {"GET": Scope.BILLING_READ}

    @extend_schema(
        operation_id="wallet",
        summary="Your balance, open holds and movements",
        parameters=[CURSOR],
        responses=WalletSerializer,
    )
    def get(self, request: Request) -> Response:
        place = forms.cursor(request.query_params, name="cursor")
        wallet = billing.wallet(user=caller(request), before=place)
        body = WalletSerializer(wallet, context={"request": request}).data
        return linked(tagged(request, body), body["next"])
