"""The JSON door of training over a cluster."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters import services as clusters
from clusters.api.clusters import SessionSerializer, own_cluster, session_row
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope
from training import services as training
from training.models import NAME_LENGTH_MAX, Tier

ARCHITECTURE = {
    "type": "feedforward",
    "layers": [{"type": "hidden", "params": {"size": 128, "activation": "relu"}}],
}
OPTIMIZERS = ("adam", "sgd", "rmsprop", "adagrad")  # the configuration says which can be trained


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


class RulesSerializer(serializers.Serializer[Any]):
    epochs = serializers.IntegerField()
    batch_size = serializers.IntegerField()
    learning_rate = serializers.FloatField()
    optimizer = serializers.ChoiceField(OPTIMIZERS)
    federated = serializers.BooleanField()


class BegunSerializer(SessionSerializer):
    cluster_id = serializers.UUIDField(source="session.cluster_id")
    nodes_training = serializers.IntegerField(source="session.shards")


class StartedSessionSerializer(BegunSerializer):
    config = RulesSerializer()


class Training(APIView):
    required_scope = {"POST": Scope.TRAIN}

    @extend_schema(
        operation_id="neural_train_distributed",
        request=ClusterTrainRequest,
        responses={202: StartedSessionSerializer},
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
            asked = {"config": config["training"] | {"federated": False}}
            return 202, BegunSerializer(session_row(session)).data | asked

        return once(request, act)
