"""Saved searches, for programs. What they find is told as `search.found`, by webhook too."""

import uuid
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import listed, page_of, tagged
from governance.api.requests import caller, changed, once
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import Scope, User
from marketplace import services as marketplace
from marketplace.models import SavedSearch
from marketplace.models.searches import QUERY_LENGTH_MAX


class SavedSearchRequest(serializers.Serializer[Any]):
    query = serializers.CharField(
        max_length=QUERY_LENGTH_MAX,
        allow_blank=True,
        help_text="as it is typed in the catalogue: `digit reader price:0 accuracy>0.95`",
    )
    name = serializers.CharField(
        max_length=80, default="", allow_blank=True, help_text="without it, what is asked"
    )
    sort = serializers.ChoiceField(
        choices=list(marketplace.ORDERS), default=marketplace.DEFAULT_ORDER
    )
    exact = serializers.BooleanField(
        default=False, source="is_exact", help_text="take words as they are spelled"
    )
    alerts = serializers.BooleanField(
        default=True, source="has_alerts", help_text="tell when something new is found"
    )


class SavedSearchSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    query = serializers.CharField(help_text="in its shortest spelling")
    sort = serializers.CharField()
    exact = serializers.BooleanField(source="is_exact")
    alerts = serializers.BooleanField(source="has_alerts")
    new = serializers.IntegerField(help_text="found since you last opened it on the site")
    url = serializers.SerializerMethodField(help_text="where it opens on the site")
    created_at = serializers.DateTimeField()
    looked_at = serializers.DateTimeField(help_text="when you last opened it on the site")

    def get_url(self, search: SavedSearch) -> str:
        return f"{settings.SITE_URL}{search.get_absolute_url()}"


SavedSearchPage = page_of("searches", SavedSearchSerializer)


def own(user: User, saved_id: uuid.UUID) -> SavedSearch:
    return get_object_or_404(SavedSearch.objects.of(user).with_new(), pk=saved_id)


def whole(search: SavedSearch) -> dict[str, Any]:
    return dict(SavedSearchSerializer(search).data)


class SavedSearches(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(operation_id="list_saved_searches", parameters=PAGE, responses=SavedSearchPage)
    def get(self, request: Request) -> Response:
        """The searches of the catalogue that you saved, newest first."""
        return listed(request, SavedSearchPage, SavedSearch.objects.of(caller(request)).with_new())

    @extend_schema(
        operation_id="save_search",
        request=SavedSearchRequest,
        responses={201: SavedSearchSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Save a search, to be told of what is published from now on and matches it."""
        asked = SavedSearchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.save_search(owner=user, **asked.validated_data)
            return 201, whole(own(user, made.pk))

        return once(request, act)


class OneSavedSearch(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PUT": Scope.BUY, "DELETE": Scope.BUY}

    @extend_schema(operation_id="get_saved_search", responses=SavedSearchSerializer)
    def get(self, request: Request, saved_id: uuid.UUID) -> Response:
        """A saved search of yours. Reading it here leaves what is new new."""
        return tagged(request, whole(own(caller(request), saved_id)))

    @extend_schema(
        operation_id="change_saved_search",
        request=SavedSearchRequest,
        responses=SavedSearchSerializer,
        parameters=[IF_MATCH],
    )
    def put(self, request: Request, saved_id: uuid.UUID) -> Response:
        """Another name or question for it, or alerts on or off."""
        asked = SavedSearchRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)

        def act(search: SavedSearch) -> tuple[int, dict[str, Any]]:
            marketplace.change_search(actor=user, search=search, **asked.validated_data)
            return 200, whole(own(user, saved_id))

        return changed(request, find=lambda: own(user, saved_id), tell=whole, act=act)

    @extend_schema(operation_id="delete_saved_search", responses={204: None}, parameters=[IF_MATCH])
    def delete(self, request: Request, saved_id: uuid.UUID) -> Response:
        """You are told nothing of it any more."""
        user = caller(request)

        def act(search: SavedSearch) -> tuple[int, None]:
            marketplace.delete_search(actor=user, search=search)
            return 204, None

        return changed(request, find=lambda: own(user, saved_id), tell=whole, act=act)
