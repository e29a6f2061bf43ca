"""The JSON door of a cluster's nodes: deploy them, connect them."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import services as clusters
from clusters.api.clusters import own_cluster
from clusters.models import Node, Topology
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope
from kernels.fields import shown

CAPABILITIES = ["training", "inference"]
# What a node may be asked to be and is not: the only value accepted, and why.
NODE_PARTS = {
    "template": (None, "nodes run in the sandbox of this site; leave it out"),
    "model": ("base", "all nodes train one network; say which by `architecture` when training"),
    "layers": (None, "all nodes train one network; say which by `architecture` when training"),
    "autonomy": (0, "autonomous agents are not available; leave it out or send 0"),
}


class NodeRequest(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Node.Role.choices, required=False)
    node_type = serializers.ChoiceField(Node.Role.choices, default=Node.Role.WORKER)
    template = serializers.CharField(required=False)
    model = serializers.CharField(required=False)
    layers = serializers.JSONField(required=False)
    autonomy = serializers.FloatField(required=False, min_value=0, max_value=1)
    capabilities = serializers.ListField(child=serializers.CharField(), default=CAPABILITIES)

    def validate_capabilities(self, value: list[str]) -> list[str]:
        if set(value) != set(CAPABILITIES):
            names = ", ".join(CAPABILITIES)
            raise serializers.ValidationError(f"every node has these: {names}; leave it out")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        for name, (accepted, reason) in NODE_PARTS.items():
            if name in attrs and attrs[name] != accepted:
                raise serializers.ValidationError({name: f"{shown(attrs[name])}: {reason}."})
        return attrs


class DeployedNodeSerializer(serializers.Serializer[Node]):
    node_id = serializers.UUIDField(source="pk")
    cluster_id = serializers.UUIDField()
    number = serializers.IntegerField()
    role = serializers.ChoiceField(Node.Role.choices)
    status = serializers.ChoiceField(Node.State.choices, source="state")
    capabilities = serializers.ListField(
        child=serializers.CharField(), default=CAPABILITIES, read_only=True
    )


class Nodes(APIView):
    required_scope = {"POST": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_node_deploy",
        request=NodeRequest,
        responses={201: DeployedNodeSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """Deploy a worker or another validator; `role` wins over `node_type`."""
        cluster = own_cluster(request, cluster_id)
        asked = NodeRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        role = Node.Role(data.get("role", data["node_type"]))

        def act() -> tuple[int, dict[str, Any]]:
            node = clusters.deploy_node(actor=caller(request), cluster=cluster, role=role)
            return 201, DeployedNodeSerializer(node).data

        return once(request, act)


class ConnectRequest(serializers.Serializer[Any]):
    topology = serializers.ChoiceField(Topology.choices, required=False)


class ConnectedSerializer(serializers.Serializer[Any]):
    cluster_id = serializers.UUIDField()
    topology = serializers.ChoiceField(Topology.choices)
    connections = serializers.IntegerField()
    nodes_connected = serializers.IntegerField()


class Connections(APIView):
    required_scope = {"POST": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_cluster_connect",
        request=ConnectRequest,
        responses=ConnectedSerializer,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """Connect every deployed node to the centre of the star."""
        cluster = own_cluster(request, cluster_id)
        asked = ConnectRequest(data=request.data)
        asked.is_valid(raise_exception=True)

        def act() -> tuple[int, dict[str, Any]]:
            star = clusters.connect_nodes(
                actor=caller(request), cluster=cluster, **asked.validated_data
            )
            connected = star.nodes.connected().count()
            told = {"cluster_id": star.pk, "topology": star.topology}
            told |= {"connections": connected - 1, "nodes_connected": connected}
            return 200, dict(ConnectedSerializer(told).data)

        return once(request, act)
