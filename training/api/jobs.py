"""The JSON door of jobs."""

import uuid
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import services as governance
from governance.api.answers import Millionths, listed, page_of, tagged, told
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE, refused
from governance.models import Scope
from training import services as training
from training.api.datasets import chosen_dataset
from training.models import NAME_LENGTH_MAX, Job, Tier

FAILED = (Job.Status.FAILED, Job.Status.QUARANTINED)
NOT_READY = (
    "`not_ready`: a worker still reads the data, so the job has no price yet. `dataset_url` and "
    "`dataset_status` say where and how far; send the same again after `Retry-After` seconds."
)
INLINE = OpenApiExample(
    "rows in the request",
    request_only=True,
    value={
        "dataset": {
            "features": [
                *([5.1, 3.5], [4.9, 3.0], [5.0, 3.4], [4.6, 3.1], [5.4, 3.9], [4.7, 3.2]),
                *([6.2, 2.9], [5.9, 3.2], [6.7, 3.1], [6.1, 2.8], [6.4, 3.2], [6.9, 3.0]),
            ],
            "labels": [*("setosa",) * 6, *("versicolor",) * 6],
        },
        "config": {
            "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 8}]},
            "training": {
                "epochs": 20,
                "batch_size": 4,
                "learning_rate": 0.01,
                "optimizer": "adam",
            },
        },
    },
)


class TrainRequest(serializers.Serializer[Any]):
    config = serializers.JSONField(help_text="architecture, training and divergent")
    tier = serializers.ChoiceField(Tier.choices, default=Tier.NANO)
    dataset = serializers.JSONField(
        required=False, help_text="a dataset's slug, digits by default, or {features, labels}"
    )
    seed = serializers.IntegerField(default=0, min_value=0, max_value=training.SEED_MAX)
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, default="", allow_blank=True)
    parent_model_id = serializers.UUIDField(
        required=False, help_text="one of your models, to begin from its weights: fine-tuning"
    )
    parent_job_id = serializers.UUIDField(
        required=False,
        help_text="one of your jobs that is over, to begin from the weights of its last checkpoint",
    )
    parent_step = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=training.SEED_MAX,
        help_text="of parent_job_id, another of its checkpoints",
    )
    user_id = serializers.UUIDField(required=False, help_text="must be yours, if given")


class JobSummarySerializer(serializers.ModelSerializer[Job]):
    """What the row of a job alone tells. Where the original spells a name in two ways, so do we."""

    job_id = serializers.UUIDField(source="pk")
    jobId = serializers.UUIDField(source="pk")  # noqa: N815
    original_code = serializers.SerializerMethodField(
        help_text="of a failed job what flow-nexus calls it, for programs written for that one"
    )
    progress = serializers.SerializerMethodField(help_text="0 to 100")
    total_epochs = serializers.IntegerField(source="epochs")
    parent_model_id = serializers.UUIDField(source="parent_id", allow_null=True)
    parent_job_id = serializers.UUIDField(source="start_job_id", allow_null=True)
    parent_step = serializers.IntegerField(source="start_step", allow_null=True)
    estimated_time_remaining = serializers.FloatField(
        source="eta_seconds", allow_null=True, help_text="seconds; null while nobody can tell"
    )
    estimated_cost = Millionths(source="quote_microcredits", help_text="credits at most")
    estimatedCost = Millionths(source="quote_microcredits", help_text="the same")  # noqa: N815
    credits_used = Millionths(source="cost_microcredits")
    model_id = serializers.UUIDField(source="model.pk", default=None, allow_null=True)
    modelId = serializers.UUIDField(source="model.pk", default=None, allow_null=True)  # noqa: N815

    class Meta:
        model = Job
        fields: tuple[str, ...] = (
            *("job_id", "jobId", "name", "status", "tier", "category", "progress"),
            *("total_epochs", "metric", "parent_model_id", "parent_job_id", "parent_step"),
            *("estimated_time_remaining", "estimated_cost", "estimatedCost", "credits_used"),
            *("model_id", "modelId", "error_code", "original_code", "error_message", "created_at"),
        )
        extra_kwargs = {"metric": {"help_text": "what is measured beside the loss"}}

    def get_original_code(self, job: Job) -> str:
        return "TRAINING_FAILED" if job.status in FAILED else ""

    def get_progress(self, job: Job) -> float:
        return round(100 * job.progress, 1)


class CheckpointSerializer(serializers.Serializer[Any]):
    step = serializers.IntegerField(source="checkpoint.step")
    size_bytes = serializers.IntegerField(source="checkpoint.size_bytes")
    kept_until = serializers.DateTimeField(source="until")


class MeasuredSerializer(serializers.Serializer[Any]):
    """What was measured last. An accuracy is only said where one is measured."""

    current_epoch = serializers.IntegerField()
    current_loss = serializers.FloatField(allow_null=True, help_text="on training rows")
    validation_loss = serializers.FloatField(allow_null=True)
    current_metric = serializers.FloatField(allow_null=True, help_text="on training rows")
    validation_metric = serializers.FloatField(allow_null=True)
    current_accuracy = serializers.FloatField(allow_null=True, help_text="0 to 1")
    validation_accuracy = serializers.FloatField(allow_null=True, help_text="0 to 1")
    queue_position = serializers.IntegerField(
        allow_null=True, help_text="from 1; null where it does not wait"
    )
    checkpoints = CheckpointSerializer(many=True, help_text="that a job may begin from")
    is_held_back = serializers.BooleanField(
        help_text="by as many running jobs as its owner may have"
    )


class JobSerializer(MeasuredSerializer, JobSummarySerializer):
    """How far a job is, what it measured last and what it cost so far."""


JOBS = page_of("jobs", JobSummarySerializer)


def job_body(job: Job) -> dict[str, Any]:
    last = job.points.last()
    train, validation = (last.train_metric, last.validation_metric) if last else (None, None)
    is_accuracy = job.metric == "accuracy"
    place = training.job_place(job=job)
    measured = {
        "current_epoch": last.epoch if last else 0,
        "current_loss": last.train_loss if last else None,
        "validation_loss": last.validation_loss if last else None,
        "current_metric": train,
        "validation_metric": validation,
        "current_accuracy": train if is_accuracy else None,
        "validation_accuracy": validation if is_accuracy else None,
        "queue_position": None if place is None else place.ahead + 1,
        "checkpoints": training.kept_checkpoints(job=job),
        "is_held_back": place is not None and place.is_held_back,
    }
    return JobSummarySerializer(job).data | MeasuredSerializer(measured).data


class TrainingJobs(APIView):
    required_scope = {"POST": Scope.TRAIN, "GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_list_jobs", responses=JOBS, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your jobs, newest first."""
        return listed(request, JOBS, Job.objects.of(caller(request)).select_related("model"))

    @extend_schema(
        operation_id="neural_train",
        request=TrainRequest,
        responses={202: JobSerializer} | refused(409, NOT_READY),
        parameters=[IDEMPOTENCY_KEY],
        examples=[INLINE],
    )
    def post(self, request: Request) -> Response:
        """Queue a job and hold what it may cost at most. Rows may stand in the request: the first
        answer is then 409 with `Retry-After` while they are read; the same request, sent again,
        begins the job.
        """
        asked = TrainRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        owner = caller(request)
        if data.get("user_id", owner.pk) != owner.pk:
            raise governance.NotAllowed("user_id: a key acts for its owner; leave it out.")
        parent = training.find_beginning(
            owner=owner,
            model_id=data.get("parent_model_id"),
            job_id=data.get("parent_job_id"),
            step=data.get("parent_step"),
        )
        dataset = chosen_dataset(owner, data.get("dataset", "digits"), data["config"])

        def act() -> tuple[int, dict[str, Any]]:
            asked = {key: data[key] for key in ("config", "seed", "name")}
            asked |= {"dataset": dataset, "tier": Tier(data["tier"]), "parent": parent}
            return 202, job_body(training.submit_job(owner=owner, **asked))

        response = once(request, act)
        response["Location"] = f"/api/v1/training-jobs/{response.data['job_id']}"
        return response


class TrainingJob(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "DELETE": Scope.TRAIN}

    @extend_schema(operation_id="neural_training_status", responses=JobSerializer)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """How far a job is, what it measured last and what it cost so far."""
        job = get_object_or_404(Job.objects.of(caller(request)), pk=job_id)
        return tagged(request, job_body(job))

    @extend_schema(operation_id="neural_training_cancel", responses={200: JobSerializer})
    def delete(self, request: Request, job_id: uuid.UUID) -> Response:
        """Cancel a job; finished chunks stay paid, the rest of the hold goes back."""
        user = caller(request)
        job = get_object_or_404(Job.objects.of(user), pk=job_id)
        return Response(job_body(training.cancel_job(actor=user, job=job)))


CURVE = {
    "type": "array",
    "items": {"type": "array", "items": {"type": ["number", "null"]}, "minItems": 2, "maxItems": 2},
}


class CurvesSerializer(serializers.Serializer[Any]):
    job_id = serializers.UUIDField(source="job.pk")
    metric = serializers.CharField(source="job.metric")
    total_epochs = serializers.IntegerField(source="job.epochs")
    series = told(
        {"type": "object", "additionalProperties": CURVE},
        help_text="by name, such as train_loss: [epoch, value] pairs",
    )


class TrainingCurves(APIView):
    required_scope = {"GET": Scope.MODELS_READ}

    @extend_schema(operation_id="neural_training_curves", responses=CurvesSerializer)
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """The curves of a job as [epoch, value] pairs, at most 1,000 each. Of a longer job every
        bucket of epochs keeps its lowest, highest and last point.
        """
        job = get_object_or_404(Job.objects.of(caller(request)), pk=job_id)
        series = training.job_curves(job=job)
        return Response(CurvesSerializer({"job": job, "series": series}).data)
