"""Collections of templates, for programs."""

import uuid
from typing import Any

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
from marketplace.api.found import GONE, found_template
from marketplace.models import Collection
from marketplace.models.collections import NOTE_LENGTH_MAX


class CollectionRequest(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=80)
    description = serializers.CharField(max_length=500, default="", allow_blank=True)
    is_public = serializers.BooleanField(default=False)


class ItemRequest(serializers.Serializer[Any]):
    template_id = serializers.UUIDField()
    note = serializers.CharField(max_length=NOTE_LENGTH_MAX, default="", allow_blank=True)


class ItemSerializer(serializers.Serializer[Any]):
    template_id = serializers.UUIDField()
    position = serializers.IntegerField()
    note = serializers.CharField()


class CollectionSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField()
    owner = serializers.CharField(source="owner.username")
    is_public = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class CollectionWithItemsSerializer(CollectionSerializer):
    items = ItemSerializer(many=True, help_text="in their order")


CollectionPage = page_of("collections", CollectionSerializer)


def whole(collection: Collection) -> dict[str, Any]:
    return dict(CollectionWithItemsSerializer(collection).data)


def visible(user: User, collection_id: uuid.UUID) -> Collection:
    rows = Collection.objects.visible_to(user).select_related("owner").prefetch_related("items")
    return get_object_or_404(rows, pk=collection_id)


def own(user: User, collection_id: uuid.UUID) -> Collection:
    rows = Collection.objects.of(user).select_related("owner").prefetch_related("items")
    return get_object_or_404(rows, pk=collection_id)


class Collections(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(operation_id="list_collections", parameters=PAGE, responses=CollectionPage)
    def get(self, request: Request) -> Response:
        """Public collections and your own, newest first."""
        rows = Collection.objects.visible_to(caller(request)).select_related("owner")
        return listed(request, CollectionPage, rows)

    @extend_schema(
        operation_id="make_collection",
        request=CollectionRequest,
        responses={201: CollectionWithItemsSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """A new collection, private unless you say otherwise."""
        asked = CollectionRequest(data=request.data)
        asked.is_valid(raise_exception=True)

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.make_collection(owner=caller(request), **asked.validated_data)
            made.refresh_from_db()
            return 201, whole(made)

        return once(request, act)


class OneCollection(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PUT": Scope.BUY, "DELETE": Scope.BUY}

    @extend_schema(operation_id="get_collection", responses=CollectionWithItemsSerializer)
    def get(self, request: Request, collection_id: uuid.UUID) -> Response:
        """A collection with its templates."""
        return tagged(request, whole(visible(caller(request), collection_id)))

    @extend_schema(
        operation_id="change_collection",
        request=CollectionRequest,
        responses=CollectionWithItemsSerializer,
        parameters=[IF_MATCH],
    )
    def put(self, request: Request, collection_id: uuid.UUID) -> Response:
        """Its name, description, and who may see it."""
        asked = CollectionRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)

        def act(collection: Collection) -> tuple[int, dict[str, Any]]:
            made = marketplace.change_collection(
                actor=user, collection=collection, **asked.validated_data
            )
            return 200, whole(made)

        return changed(request, find=lambda: own(user, collection_id), tell=whole, act=act)

    @extend_schema(operation_id="delete_collection", responses={204: None}, parameters=[IF_MATCH])
    def delete(self, request: Request, collection_id: uuid.UUID) -> Response:
        """The list goes; the templates in it stay what they are."""
        user = caller(request)

        def act(collection: Collection) -> tuple[int, None]:
            marketplace.delete_collection(actor=user, collection=collection)
            return 204, None

        return changed(request, find=lambda: own(user, collection_id), tell=whole, act=act)


class Items(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="collect_template",
        request=ItemRequest,
        responses={201: CollectionWithItemsSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, collection_id: uuid.UUID) -> Response:
        """Put a template at the end; one that is there already gets the note."""
        asked = ItemRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)
        collection = own(user, collection_id)
        template = found_template(request, asked.validated_data["template_id"])

        def act() -> tuple[int, dict[str, Any]]:
            marketplace.collect_template(
                actor=user,
                collection=collection,
                template=template,
                note=asked.validated_data["note"],
            )
            return 201, whole(own(user, collection_id))

        return once(request, act)
