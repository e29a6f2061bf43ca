"""The JSON door of clusters: form one, look how it does, end it."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import services as clusters
from clusters.models import Architecture, Cluster, Consensus, Node, Round, Session, Topology
from governance.api.answers import Millionths, Seconds, listed, page_of
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE
from governance.models import Scope
from training.models import NAME_LENGTH_MAX, Job


class ClusterRequest(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=NAME_LENGTH_MAX)
    topology = serializers.ChoiceField(Topology.choices, default=Topology.STAR)
    architecture = serializers.ChoiceField(Architecture.choices, default=Architecture.FEEDFORWARD)
    consensus = serializers.ChoiceField(Consensus.choices, default=Consensus.PROOF_OF_LEARNING)
    daaEnabled = serializers.BooleanField(source="daa_enabled", default=False)  # noqa: N815
    wasmOptimization = serializers.BooleanField(source="wasm_optimization", default=True)  # noqa: N815


def own_cluster(request: Request, cluster_id: uuid.UUID) -> Cluster:
    found: Cluster = get_object_or_404(Cluster.objects.of(caller(request)), pk=cluster_id)
    return found


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    cluster_id = serializers.UUIDField(source="pk")
    status = serializers.ChoiceField(Cluster.State.choices, source="state")
    wasm_enabled = serializers.BooleanField(source="wasm_optimization")

    class Meta:
        model = Cluster
        fields: tuple[str, ...] = (
            *("cluster_id", "name", "status", "topology", "architecture", "consensus"),
            *("wasm_enabled", "daa_enabled"),
        )


CLUSTERS = page_of("clusters", ClusterSerializer)


class Clusters(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.TRAIN}

    @extend_schema(operation_id="neural_cluster_list", responses=CLUSTERS, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your clusters, newest first."""
        return listed(request, CLUSTERS, Cluster.objects.of(caller(request)))

    @extend_schema(
        operation_id="neural_cluster_init",
        request=ClusterRequest,
        responses={201: ClusterSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Form a cluster: the centre of a star and a validator. Deploy workers next."""
        asked = ClusterRequest(data=request.data)
        asked.is_valid(raise_exception=True)

        def act() -> tuple[int, dict[str, Any]]:
            cluster = clusters.form_cluster(owner=caller(request), **asked.validated_data)
            return 201, ClusterSerializer(cluster).data

        return once(request, act)


class SessionSerializer(serializers.Serializer[Any]):
    session_id = serializers.UUIDField(source="session.pk")
    job_id = serializers.UUIDField(source="session.job_id")
    status = serializers.ChoiceField(Job.Status.choices, source="session.job.status")
    rounds = serializers.IntegerField(source="last.number", default=0, help_text="committed")
    total_rounds = serializers.IntegerField(source="session.rounds_total")
    local_steps = serializers.IntegerField(
        source="session.local_steps", help_text="that a worker takes in a round"
    )
    validation_accuracy = serializers.FloatField(
        source="last.validation_accuracy", default=None, allow_null=True, help_text="0 to 1"
    )
    bytes_last_round = serializers.IntegerField(
        source="last.total_bytes", default=None, allow_null=True
    )
    estimated_cost = Millionths(
        source="session.job.quote_microcredits", help_text="credits at most"
    )
    credits_used = Millionths(source="session.job.cost_microcredits")
    model_id = serializers.UUIDField(source="session.job.model.pk", default=None, allow_null=True)
    error_message = serializers.CharField(source="session.job.error_message")


def session_row(session: Session) -> dict[str, Any]:
    committed = session.rounds.filter(state=Round.State.COMMITTED)
    return {"session": session, "last": committed.last()}


class NodeMetricsSerializer(serializers.Serializer[Any]):
    throughput = serializers.FloatField(
        source="node.steps_per_second", allow_null=True, help_text="steps per second"
    )
    latency = serializers.FloatField(
        source="node.latency_seconds", allow_null=True, help_text="seconds"
    )
    accuracy = serializers.FloatField(source="node.accuracy", allow_null=True, help_text="0 to 1")


class NodeSerializer(serializers.Serializer[Any]):
    node_id = serializers.UUIDField(source="node.pk")
    role = serializers.ChoiceField(Node.Role.choices, source="node.role")
    status = serializers.ChoiceField(Node.State.choices, source="node.state")
    shard = serializers.IntegerField(
        source="node.shard", allow_null=True, help_text="which part of the rows, of workers"
    )
    connections = serializers.IntegerField()
    heartbeat_at = serializers.DateTimeField(source="node.heartbeat_at", allow_null=True)
    metrics = NodeMetricsSerializer(source="*", help_text="of its last contribution")


def node_row(node: Node, edges: int) -> dict[str, Any]:
    """A node with its connections: to the centre, or the centre's to all."""
    ends = edges if node.role == Node.Role.PARAMETER_SERVER else 1
    return {"node": node, "connections": ends if node.state == Node.State.CONNECTED else 0}


class PerformanceSerializer(serializers.Serializer[Any]):
    throughput = serializers.FloatField(
        allow_null=True, help_text="steps per second of all nodes together"
    )
    latency = serializers.FloatField(allow_null=True, help_text="seconds, of the slowest node")


class ClusterFeaturesSerializer(serializers.Serializer[Any]):
    daa_enabled = serializers.BooleanField()
    wasm_enabled = serializers.BooleanField()
    nodes_deployed = serializers.IntegerField()
    connections_active = serializers.IntegerField()
    training_sessions = serializers.IntegerField()


class StandingSerializer(serializers.Serializer[Any]):
    """What the row of a cluster alone does not tell."""

    nodes = NodeSerializer(many=True)
    performance = PerformanceSerializer()
    features = ClusterFeaturesSerializer()
    training = SessionSerializer(allow_null=True, help_text="the last one")


class ClusterRowSerializer(ClusterSerializer):
    uptime = Seconds(help_text="seconds")

    class Meta(ClusterSerializer.Meta):
        fields = (*ClusterSerializer.Meta.fields, "created_at", "uptime")


class ClusterStatusSerializer(StandingSerializer, ClusterRowSerializer):
    """How a cluster stands."""


def standing_of(cluster: Cluster) -> dict[str, Any]:
    nodes = list(cluster.nodes.all())
    connected = [node for node in nodes if node.state == Node.State.CONNECTED]
    edges = max(len(connected) - 1, 0)
    session = cluster.sessions.select_related("job__model").first()
    speeds = [node.steps_per_second for node in connected if node.steps_per_second]
    waits = [node.latency_seconds for node in connected if node.latency_seconds is not None]
    return {
        "nodes": [node_row(node, edges) for node in nodes],
        "performance": {
            "throughput": sum(speeds) if speeds else None,
            "latency": max(waits) if waits else None,
        },
        "features": {
            "daa_enabled": cluster.daa_enabled,
            "wasm_enabled": cluster.wasm_optimization,
            "nodes_deployed": len(nodes),
            "connections_active": edges,
            "training_sessions": cluster.sessions.count(),
        },
        "training": session_row(session) if session else None,
    }


class TerminatedSerializer(serializers.Serializer[Any]):
    cluster_id = serializers.UUIDField()
    nodes_terminated = serializers.IntegerField()
    message = serializers.CharField()


class OneCluster(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "DELETE": Scope.TRAIN}

    @extend_schema(operation_id="neural_cluster_status", responses=ClusterStatusSerializer)
    def get(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """Nodes and their speeds (steps and seconds of the last contribution), and the training."""
        cluster = own_cluster(request, cluster_id)
        standing = StandingSerializer(standing_of(cluster)).data
        return Response(ClusterRowSerializer(cluster).data | standing)

    @extend_schema(operation_id="neural_cluster_terminate", responses={200: TerminatedSerializer})
    def delete(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """End its nodes and cancel what it trains; committed rounds stay paid."""
        cluster = own_cluster(request, cluster_id)
        live = cluster.nodes.live().count()
        cluster = clusters.terminate_cluster(actor=caller(request), cluster=cluster)
        message = f"The cluster “{cluster.name}” is terminated."
        told = {"cluster_id": cluster.pk, "nodes_terminated": live, "message": message}
        return Response(TerminatedSerializer(told).data)
