"""Leaderboards, for programs: verified figures on the same test rows."""

from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import tagged
from governance.api.requests import caller
from governance.models import Scope
from marketplace import services as marketplace
from training.models import Dataset


class PlaceSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField(help_text="equal figures share a place")
    template_id = serializers.UUIDField(source="template.pk")
    name = serializers.CharField(source="template.name")
    author = serializers.CharField(source="template.owner.username")
    version = serializers.IntegerField(source="version.number")
    value = serializers.FloatField()
    low = serializers.FloatField(allow_null=True, help_text="of the 95 % interval")
    high = serializers.FloatField(allow_null=True)
    is_level = serializers.BooleanField(help_text="its interval and the first one's overlap")


class LeaderboardSerializer(serializers.Serializer[Any]):
    dataset = serializers.CharField(source="dataset.slug")
    metric = serializers.CharField(help_text="empty where nobody is on it yet")
    lower_is_better = serializers.BooleanField()
    places = PlaceSerializer(many=True, help_text="best first, 100 at most")


class OneLeaderboard(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="get_leaderboard", responses=LeaderboardSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """The templates on offer that learned from a dataset, best first."""
        dataset = get_object_or_404(Dataset.objects.visible_to(caller(request)), slug=slug)
        board = marketplace.leaderboard_of(dataset=dataset)
        return tagged(request, LeaderboardSerializer(board).data)
