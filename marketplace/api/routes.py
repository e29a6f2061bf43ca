"""Which versions answer a deployment's calls, for programs: routes, canaries, going back."""

import uuid
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.answers import tagged
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.deployments import (
    DeploymentSerializer,
    RouteSerializer,
    body_after,
    own_deployment,
)
from marketplace.models import Deployment, RouteSet


class TargetSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=1_000_000)
    share = serializers.IntegerField(min_value=1, max_value=100, help_text="percent of the calls")


class RoutesRequest(serializers.Serializer[Any]):
    routes = TargetSerializer(many=True, help_text="shares that sum to 100")


class CanaryRequest(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, max_value=1_000_000)
    share = serializers.IntegerField(default=10, min_value=1, max_value=99)


class RollBackRequest(serializers.Serializer[Any]):
    route_set = serializers.IntegerField(
        required=False, min_value=1, help_text="the number of an earlier set; without it the last"
    )


class RouteSetSerializer(serializers.ModelSerializer[RouteSet]):
    routes = RouteSerializer(many=True)

    class Meta:
        model = RouteSet
        fields = ["number", "cause", "at", "routes"]


class RouteSetsSerializer(serializers.Serializer[Any]):
    route_sets = RouteSetSerializer(many=True)


def acted(
    request: Request, deployment_id: uuid.UUID, act: Callable[[Deployment], Deployment]
) -> Response:
    """The deployment, after something was done to it once."""
    found = own_deployment(request, deployment_id)
    return once(request, lambda: (200, body_after(act(found))))


def documented(operation_id: str, body: Any = None) -> Callable[[Any], Any]:
    return extend_schema(
        operation_id=operation_id,
        request=body,
        responses={200: DeploymentSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )


class Routes(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.BUY}

    @extend_schema(operation_id="neural_deployment_routes", responses=RouteSetsSerializer)
    def get(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """What answered, and from when on: the newest 100 sets of routes."""
        found = own_deployment(request, deployment_id)
        rows = found.route_sets.prefetch_related("routes__version")[:100]
        return tagged(request, RouteSetsSerializer({"route_sets": rows}).data)

    @documented("neural_route_deployment", RoutesRequest)
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Have these versions answer, each its share."""
        asked = RoutesRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        targets = marketplace.read_routes([dict(each) for each in asked.validated_data["routes"]])
        return acted(
            request,
            deployment_id,
            lambda found: marketplace.set_routes(
                actor=caller(request), deployment=found, targets=targets
            ),
        )


class Canary(APIView):
    required_scope = {"POST": Scope.BUY, "DELETE": Scope.BUY}

    @documented("neural_start_canary", CanaryRequest)
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Give a share of the calls to another version, to see how it does."""
        asked = CanaryRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return acted(
            request,
            deployment_id,
            lambda found: marketplace.start_canary(
                actor=caller(request), deployment=found, **asked.validated_data
            ),
        )

    @documented("neural_abort_canary")
    def delete(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Have the stable version answer every call again."""
        return acted(
            request,
            deployment_id,
            lambda found: marketplace.abort_canary(actor=caller(request), deployment=found),
        )


class PromoteCanary(APIView):
    required_scope = {"POST": Scope.BUY}

    @documented("neural_promote_canary")
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Have the canary answer every call."""
        return acted(
            request,
            deployment_id,
            lambda found: marketplace.promote_canary(actor=caller(request), deployment=found),
        )


class RollBack(APIView):
    required_scope = {"POST": Scope.BUY}

    @documented("neural_roll_back_deployment", RollBackRequest)
    def post(self, request: Request, deployment_id: uuid.UUID) -> Response:
        """Answer as an earlier set of routes did, at the prices that it had."""
        asked = RollBackRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        return acted(
            request,
            deployment_id,
            lambda found: marketplace.roll_back(
                actor=caller(request), deployment=found, to=asked.validated_data.get("route_set")
            ),
        )
