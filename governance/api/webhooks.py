"""Webhooks for programs: set up, tested, looked at and sent again."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import services as governance
from governance.api.answers import listed, page_of, tag, tagged
from governance.api.requests import caller, changed, once
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import NoticeType, Scope, WebhookDelivery, WebhookEndpoint
from governance.models.webhooks import URL_LENGTH_MAX


class WebhookRequest(serializers.Serializer[Any]):
    url = serializers.CharField(
        max_length=URL_LENGTH_MAX, help_text="https, at port 443 or one above 1023"
    )
    description = serializers.CharField(max_length=120, required=False, default="")
    types = serializers.ListField(
        child=serializers.ChoiceField(choices=NoticeType.choices),
        required=False,
        default=list,
        help_text="What to tell; none means all, also what is added later.",
    )


class ChangeWebhookRequest(serializers.Serializer[Any]):
    """What is left out stays."""

    url = serializers.CharField(max_length=URL_LENGTH_MAX, required=False)
    description = serializers.CharField(max_length=120, required=False, allow_blank=True)
    types = serializers.ListField(
        child=serializers.ChoiceField(choices=NoticeType.choices),
        required=False,
        help_text="What to tell; none means all, also what is added later.",
    )
    enabled = serializers.BooleanField(
        required=False, help_text="Switched off, nothing is sent, and what waits is dropped."
    )


class WebhookSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    url = serializers.CharField()
    description = serializers.CharField()
    types = serializers.ListField(child=serializers.CharField())
    disabled_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when nothing is sent there; null while it is on."
    )
    disabled_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    previous_until = serializers.DateTimeField(
        allow_null=True, help_text="Until when the secret before this one signs, too."
    )


class WebhookWithSecretSerializer(WebhookSerializer):
    secret = serializers.CharField(
        help_text="Told now, and again only under the same `Idempotency-Key`."
    )


WebhookPage = page_of("webhooks", WebhookSerializer)


class AttemptSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status of the answer.")
    error = serializers.CharField(help_text="What is wrong; empty where it was delivered.")
    response = serializers.CharField(help_text="The first kilobyte of the answer.")
    duration_ms = serializers.IntegerField(allow_null=True)


class DeliverySerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    message_id = serializers.CharField(help_text="The `webhook-id` that the receiver sees.")
    type = serializers.CharField()
    state = serializers.ChoiceField(choices=WebhookDelivery.State.choices)
    created_at = serializers.DateTimeField()
    next_at = serializers.DateTimeField(help_text="When it is sent, while it is pending.")
    ended_at = serializers.DateTimeField(allow_null=True)
    attempts = AttemptSerializer(many=True)


class DeliveryWithBodySerializer(DeliverySerializer):
    body = serializers.CharField(help_text="What was signed, to the letter.")


DeliveryPage = page_of("deliveries", DeliverySerializer)


def endpoint_of(request: Request, webhook_id: uuid.UUID) -> WebhookEndpoint:
    return get_object_or_404(WebhookEndpoint.objects.of(caller(request)), pk=webhook_id)


def delivery_of(request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> WebhookDelivery:
    rows = WebhookDelivery.objects.select_related("endpoint").prefetch_related("attempts")
    return get_object_or_404(
        rows, pk=delivery_id, endpoint=webhook_id, endpoint__owner=caller(request)
    )


def with_secret(request: Request, response: Response) -> Response:
    """The stored answer of an `Idempotency-Key` holds no secret; it is read anew."""
    endpoint = endpoint_of(request, response.data["id"])
    response.data = response.data | {"secret": governance.webhook_secret(endpoint)}
    return response


class Webhooks(APIView):
    required_scope = {"GET": Scope.WEBHOOKS, "POST": Scope.WEBHOOKS}

    @extend_schema(operation_id="webhooks_list", responses=WebhookPage, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your webhooks, newest first."""
        return listed(request, WebhookPage, WebhookEndpoint.objects.of(caller(request)))

    @extend_schema(
        operation_id="webhooks_create",
        request=WebhookRequest,
        responses={201: WebhookWithSecretSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Be told at an address of yours what happens, signed by the secret of this answer."""
        asked = WebhookRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        types = [NoticeType(type) for type in data["types"]]

        def act() -> tuple[int, dict[str, Any]]:
            endpoint, _ = governance.create_webhook(
                owner=caller(request),
                url=data["url"],
                description=data["description"],
                types=types,
            )
            return 201, dict(WebhookSerializer(endpoint).data)

        response = with_secret(request, once(request, act))
        response["Location"] = f"/api/v1/webhooks/{response.data['id']}"
        return response


def told(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return dict(WebhookSerializer(endpoint).data)


class OneWebhook(APIView):
    required_scope = dict.fromkeys(("GET", "PATCH", "DELETE"), Scope.WEBHOOKS)

    @extend_schema(operation_id="webhooks_get", responses=WebhookSerializer)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """A webhook, without its secret."""
        return tagged(request, WebhookSerializer(endpoint_of(request, webhook_id)).data)

    @extend_schema(
        operation_id="webhooks_change",
        request=ChangeWebhookRequest,
        responses=WebhookSerializer,
        parameters=[IF_MATCH, IDEMPOTENCY_KEY],
    )
    def patch(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Another address, other messages, on or off; its secret stays."""
        asked = ChangeWebhookRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data

        def act(endpoint: WebhookEndpoint) -> tuple[int, dict[str, Any]]:
            types = data.get("types", [one for one in endpoint.types if one in NoticeType.values])
            found = governance.change_webhook(
                owner=caller(request),
                endpoint=endpoint,
                url=data.get("url", endpoint.url),
                description=data.get("description", endpoint.description),
                types=[NoticeType(type) for type in types],
                is_on=data.get("enabled", endpoint.disabled_at is None),
            )
            return 200, told(found)

        response = changed(
            request, find=lambda: endpoint_of(request, webhook_id), tell=told, act=act
        )
        response["ETag"] = tag(response.data)
        return response

    @extend_schema(operation_id="webhooks_delete", responses={204: None})
    def delete(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Delete a webhook and its log."""
        endpoint = endpoint_of(request, webhook_id)
        governance.delete_webhook(owner=caller(request), endpoint=endpoint)
        return Response(status=204)


class WebhookSecret(APIView):
    required_scope = {"POST": Scope.WEBHOOKS}

    @extend_schema(
        operation_id="webhooks_rotate_secret",
        request=None,
        responses=WebhookWithSecretSerializer,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """A new secret. For a day messages are signed by the one before, too."""
        endpoint = endpoint_of(request, webhook_id)

        def act() -> tuple[int, dict[str, Any]]:
            owner = caller(request)
            rotated, _ = governance.rotate_webhook_secret(owner=owner, endpoint=endpoint)
            return 200, dict(WebhookSerializer(rotated).data)

        return with_secret(request, once(request, act))


class WebhookTest(APIView):
    required_scope = {"POST": Scope.WEBHOOKS}

    @extend_schema(
        operation_id="webhooks_test",
        request=None,
        responses={202: DeliveryWithBodySerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Send a message of the type `webhook.test`."""
        endpoint = endpoint_of(request, webhook_id)

        def act() -> tuple[int, dict[str, Any]]:
            delivery = governance.test_webhook(owner=caller(request), endpoint=endpoint)
            return 202, dict(DeliveryWithBodySerializer(delivery).data)

        return once(request, act)


class WebhookSwitch(APIView):
    required_scope = {"POST": Scope.WEBHOOKS}

    @extend_schema(
        operation_id="webhooks_enable",
        request=None,
        responses=WebhookSerializer,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """Switch a webhook on again that was switched off, by you or since it took nothing."""
        endpoint = endpoint_of(request, webhook_id)

        def act() -> tuple[int, dict[str, Any]]:
            enabled = governance.enable_webhook(owner=caller(request), endpoint=endpoint)
            return 200, dict(WebhookSerializer(enabled).data)

        return once(request, act)


class Deliveries(APIView):
    required_scope = {"GET": Scope.WEBHOOKS}

    @extend_schema(operation_id="webhooks_deliveries", responses=DeliveryPage, parameters=PAGE)
    def get(self, request: Request, webhook_id: uuid.UUID) -> Response:
        """What was sent to a webhook, and what waits to be; newest first."""
        log = endpoint_of(request, webhook_id).deliveries.defer("body").prefetch_related("attempts")
        return listed(request, DeliveryPage, log, ordering=("-created_at", "-id"))


class OneDelivery(APIView):
    required_scope = {"GET": Scope.WEBHOOKS}

    @extend_schema(operation_id="webhooks_delivery", responses=DeliveryWithBodySerializer)
    def get(self, request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Response:
        """One message, with its body and every attempt."""
        found = delivery_of(request, webhook_id, delivery_id)
        return tagged(request, DeliveryWithBodySerializer(found).data)


class Replay(APIView):
    required_scope = {"POST": Scope.WEBHOOKS}

    @extend_schema(
        operation_id="webhooks_replay",
        request=None,
        responses={202: DeliveryWithBodySerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, webhook_id: uuid.UUID, delivery_id: uuid.UUID) -> Response:
        """Send a message again, as it was and under the same `webhook-id`."""
        found = delivery_of(request, webhook_id, delivery_id)

        def act() -> tuple[int, dict[str, Any]]:
            delivery = governance.replay_delivery(owner=caller(request), delivery=found)
            return 202, dict(DeliveryWithBodySerializer(delivery).data)

        return once(request, act)
