"""The JSON door of clusters. Operations, fields and enumerations bear the original's names.

Where a field's default in the original names what is not available here, the default is what is.
"""

import json
import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from clusters import services as clusters
from clusters.models import Architecture, Cluster, Consensus, Node, Round, Session, Topology
from governance.api.requests import CURSOR, IDEMPOTENCY_KEY, caller, once, page
from governance.models import Scope
from kernels.fields import shown
from training import services as training
from training.models import NAME_LENGTH_MAX, Tier

ARCHITECTURE = {
    "type": "feedforward",
    "layers": [{"type": "hidden", "params": {"size": 128, "activation": "relu"}}],
}
CAPABILITIES = ["training", "inference"]
OPTIMIZERS = ("adam", "sgd", "rmsprop", "adagrad")  # the configuration says which can be trained
# What a node may be asked to be and is not: the only value accepted, and why.
NODE_PARTS = {
    "template": (None, "nodes run in the sandbox of this site; leave it out"),
    "model": ("base", "all nodes train one network; say which by `architecture` when training"),
    "layers": (None, "all nodes train one network; say which by `architecture` when training"),
    "autonomy": (0, "autonomous agents are not available; leave it out or send 0"),
}


class ClusterRequest(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=NAME_LENGTH_MAX)
    topology = serializers.ChoiceField(Topology.choices, default=Topology.STAR)
    architecture = serializers.ChoiceField(Architecture.choices, default=Architecture.FEEDFORWARD)
    consensus = serializers.ChoiceField(Consensus.choices, default=Consensus.PROOF_OF_LEARNING)
    daaEnabled = serializers.BooleanField(source="daa_enabled", default=False)  # noqa: N815
    wasmOptimization = serializers.BooleanField(source="wasm_optimization", default=True)  # noqa: N815


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


class ConnectRequest(serializers.Serializer[Any]):
    topology = serializers.ChoiceField(Topology.choices, required=False)


class ClusterTrainRequest(serializers.Serializer[Any]):
    dataset = serializers.SlugField(help_text="a dataset's slug, such as digits")
    epochs = serializers.IntegerField(default=10, min_value=1, max_value=1_000)
    batch_size = serializers.IntegerField(default=32, min_value=1, max_value=512)
    learning_rate = serializers.FloatField(default=0.001, min_value=0.00001, max_value=1)
    optimizer = serializers.ChoiceField(OPTIMIZERS, default="adam")
    federated = serializers.BooleanField(default=False)
    architecture = serializers.JSONField(default=ARCHITECTURE, help_text="as in a training job")
    local_epochs = serializers.IntegerField(
        default=1, min_value=1, help_text="passes over its rows that a worker takes in a round"
    )
    tier = serializers.ChoiceField(Tier.choices, default=Tier.NANO)
    seed = serializers.IntegerField(default=0, min_value=0, max_value=training.SEED_MAX)
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, default="", allow_blank=True)

    def validate_federated(self, value: bool) -> bool:
        if value:
            raise serializers.ValidationError(
                "rows that never leave their node are not available; nodes read shards of a "
                "stored dataset. Send false."
            )
        return value


class ClusterPredictRequest(serializers.Serializer[Any]):
    input_data = serializers.JSONField(help_text="one row of numbers, or the same as JSON text")
    aggregation = serializers.ChoiceField(
        clusters.Aggregation.choices, default=clusters.Aggregation.MEAN
    )

    def validate_input_data(self, value: Any) -> Any:
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except (ValueError, RecursionError) as error:  # also a number of too many digits
                raise serializers.ValidationError(f"Invalid JSON input data: {error}") from error
        if not isinstance(value, list) or (value and isinstance(value[0], list)):
            raise serializers.ValidationError("must be one row: a list of numbers")
        return value


def own_cluster(request: Request, cluster_id: uuid.UUID) -> Cluster:
    found: Cluster = get_object_or_404(Cluster.objects.of(caller(request)), pk=cluster_id)
    return found


def cluster_body(cluster: Cluster) -> dict[str, Any]:
    return {
        "cluster_id": str(cluster.pk),
        "name": cluster.name,
        "status": cluster.state,
        "topology": cluster.topology,
        "architecture": cluster.architecture,
        "consensus": cluster.consensus,
        "wasm_enabled": cluster.wasm_optimization,
        "daa_enabled": cluster.daa_enabled,
    }


class Clusters(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.TRAIN}

    @extend_schema(operation_id="neural_cluster_list", responses=dict, parameters=[CURSOR])
    def get(self, request: Request) -> Response:
        """Your clusters, newest first."""
        rows, following = page(request, Cluster.objects.of(caller(request)))
        found = [cluster_body(row) for row in rows]
        return Response({"clusters": found, "count": len(found), "next": following})

    @extend_schema(
        operation_id="neural_cluster_init",
        request=ClusterRequest,
        responses={201: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Form a cluster: the centre of a star and a validator. Deploy workers next."""
        asked = ClusterRequest(data=request.data)
        asked.is_valid(raise_exception=True)

        def act() -> tuple[int, dict[str, Any]]:
            cluster = clusters.form_cluster(owner=caller(request), **asked.validated_data)
            return 201, cluster_body(cluster)

        return once(request, act)


class Nodes(APIView):
    required_scope = {"POST": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_node_deploy",
        request=NodeRequest,
        responses={201: dict},
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
            return 201, {
                "node_id": str(node.pk),
                "cluster_id": str(cluster.pk),
                "number": node.number,
                "role": node.role,
                "status": node.state,
                "capabilities": CAPABILITIES,
            }

        return once(request, act)


class Connections(APIView):
    required_scope = {"POST": Scope.TRAIN}

    @extend_schema(operation_id="neural_cluster_connect", request=ConnectRequest, responses=dict)
    def post(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """Connect every deployed node to the centre of the star."""
        cluster = own_cluster(request, cluster_id)
        asked = ConnectRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        cluster = clusters.connect_nodes(
            actor=caller(request), cluster=cluster, **asked.validated_data
        )
        connected = cluster.nodes.connected().count()
        return Response(
            {
                "cluster_id": str(cluster.pk),
                "topology": cluster.topology,
                "connections": connected - 1,
                "nodes_connected": connected,
            }
        )


class Training(APIView):
    required_scope = {"POST": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_train_distributed",
        request=ClusterTrainRequest,
        responses={202: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """Train one network over all workers, and hold what it may cost at most."""
        cluster = own_cluster(request, cluster_id)
        asked = ClusterTrainRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        owner = caller(request)
        dataset = training.find_dataset(viewer=owner, slug=data["dataset"])
        names = ("epochs", "batch_size", "learning_rate", "optimizer")
        config = {
            "architecture": data["architecture"],
            "training": {name: data[name] for name in names},
        }

        def act() -> tuple[int, dict[str, Any]]:
            session = clusters.train_job(
                actor=owner,
                cluster=cluster,
                dataset=dataset,
                config=config,
                tier=Tier(data["tier"]),
                local_epochs=data["local_epochs"],
                seed=data["seed"],
                name=data["name"],
            )
            return 202, session_body(session) | {
                "cluster_id": str(cluster.pk),
                "nodes_training": session.shards,
                "config": config["training"] | {"federated": False},
            }

        return once(request, act)


def session_body(session: Session) -> dict[str, Any]:
    job = session.job
    last = session.rounds.filter(state=Round.State.COMMITTED).last()
    return {
        "session_id": str(session.pk),
        "job_id": str(job.pk),
        "status": job.status,
        "rounds": last.number if last else 0,
        "total_rounds": session.rounds_total,
        "local_steps": session.local_steps,
        "validation_accuracy": last.validation_accuracy if last else None,
        "bytes_last_round": last.total_bytes if last else None,
        "estimated_cost": billing.credits(job.quote_microcredits),
        "credits_used": billing.credits(job.cost_microcredits),
        "model_id": str(job.model.pk) if hasattr(job, "model") else None,
        "error_message": job.error_message,
    }


def node_body(node: Node, *, connections: int) -> dict[str, Any]:
    return {
        "node_id": str(node.pk),
        "role": node.role,
        "status": node.state,
        "shard": node.shard,
        "connections": connections,
        "heartbeat_at": node.heartbeat_at,
        "metrics": {
            "throughput": node.steps_per_second,
            "latency": node.latency_seconds,
            "accuracy": node.accuracy,
        },
    }


class OneCluster(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "DELETE": Scope.TRAIN}

    @extend_schema(operation_id="neural_cluster_status", responses=dict)
    def get(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """Nodes and their speeds (steps and seconds of the last contribution), and the training."""
        cluster = own_cluster(request, cluster_id)
        nodes = list(cluster.nodes.all())
        connected = [node for node in nodes if node.state == Node.State.CONNECTED]
        edges = max(len(connected) - 1, 0)
        ends = {
            node.pk: edges if node.role == Node.Role.PARAMETER_SERVER else 1 for node in connected
        }
        speeds = [node.steps_per_second for node in connected if node.steps_per_second]
        waits = [node.latency_seconds for node in connected if node.latency_seconds is not None]
        session = cluster.sessions.select_related("job__model").first()
        body = cluster_body(cluster) | {
            "created_at": cluster.created_at,
            "uptime": cluster.uptime.total_seconds(),
            "nodes": [node_body(node, connections=ends.get(node.pk, 0)) for node in nodes],
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
            "training": session_body(session) if session else None,
        }
        return Response(body)

    @extend_schema(operation_id="neural_cluster_terminate", responses=dict)
    def delete(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """End its nodes and cancel what it trains; committed rounds stay paid."""
        cluster = own_cluster(request, cluster_id)
        live = cluster.nodes.live().count()
        cluster = clusters.terminate_cluster(actor=caller(request), cluster=cluster)
        return Response(
            {
                "cluster_id": str(cluster.pk),
                "nodes_terminated": live,
                "message": f"The cluster “{cluster.name}” is terminated.",
            }
        )


class Predict(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_predict_distributed",
        request=ClusterPredictRequest,
        responses=dict,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, cluster_id: uuid.UUID) -> Response:
        """One row to every node, each answering by its own last weights, merged as asked."""
        cluster = own_cluster(request, cluster_id)
        asked = ClusterPredictRequest(data=request.data)
        asked.is_valid(raise_exception=True)

        def act() -> tuple[int, dict[str, Any]]:
            answer = clusters.predict(
                user=caller(request),
                cluster=cluster,
                row=asked.validated_data["input_data"],
                aggregation=clusters.Aggregation(asked.validated_data["aggregation"]),
            )
            return 200, prediction_body(cluster, answer)

        return once(request, act)


def prediction_body(cluster: Cluster, answer: clusters.ClusterPrediction) -> dict[str, Any]:
    individual = [
        {
            "node_id": str(one.node.pk),
            "prediction": one.prediction.label,
            "confidence": one.prediction.confidence,
        }
        for one in answer.individual
    ]
    unmerged = [one["prediction"] for one in individual]
    return {
        "cluster_id": str(cluster.pk),
        "prediction": unmerged if answer.label is None else answer.label,
        "confidence": answer.confidence,
        "aggregation_method": answer.aggregation,
        "nodes_used": len(individual),
        "individual_predictions": individual,
    }
