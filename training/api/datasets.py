"""The JSON door of datasets: bring them, correct their schema, look, delete."""

from collections.abc import Mapping
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, parsers, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance import services as governance
from governance.api.answers import listed, page_of, tagged, told
from governance.api.keys import ShallowJSONParser
from governance.api.requests import caller, changed, once
from governance.api.schema import IDEMPOTENCY_KEY, IF_MATCH, PAGE
from governance.models import Scope, User
from training import services as training
from training.models import DESCRIPTION_LENGTH_MAX, NAME_LENGTH_MAX, Category, Dataset

FEATURES = ("features", "X", "data")  # as the original's sources spell them
OBJECT = {"type": "object", "additionalProperties": True}
LABELS = ("labels", "y", "targets")
CATEGORY = OpenApiParameter("category", str, enum=Category.values)


class Texts(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=NAME_LENGTH_MAX, default="", allow_blank=True)
    description = serializers.CharField(
        max_length=DESCRIPTION_LENGTH_MAX, default="", allow_blank=True
    )
    licence = serializers.ChoiceField(list(training.LICENCES), default="", allow_blank=True)


class UploadRequest(Texts):
    file = serializers.FileField(
        allow_empty_file=True,
        help_text="CSV, TSV, Parquet, JSON lines, NPY, NPZ, a .zip of pictures in class folders, "
        "or plain text",
    )


class InlineRequest(Texts):
    features = serializers.JSONField(help_text="a row for each example; also X or data")
    labels = serializers.JSONField(required=False, help_text="one for each row; also y or targets")


class SchemaRequest(serializers.Serializer[Any]):
    recipe = serializers.JSONField(
        required=False,
        help_text="what each column is and is for; what is left out, or sent back as it was "
        "measured, is measured anew on the rows that train. `asked` of a dataset is what is fixed.",
    )
    keep_measured = serializers.BooleanField(
        default=False,
        help_text="fix what is sent back as it was measured, whatever rows train from now on",
    )
    split = serializers.JSONField(
        required=False, help_text="kind, train, validation, test, seed, column"
    )


class DatasetSummarySerializer(serializers.ModelSerializer[Dataset]):
    class Meta:
        model = Dataset
        fields: tuple[str, ...] = (
            *("id", "slug", "name", "description", "category", "format", "status", "error_code"),
            *("error_message", "licence", "version", "rows", "columns", "sha256", "size_bytes"),
            "created_at",
        )


class StepSerializer(serializers.Serializer[Any]):
    label = serializers.CharField()  # type: ignore[assignment]  # DRF takes fields off the class
    state = serializers.ChoiceField(["done", "current", "failed", "todo"])


class FindingSerializer(serializers.Serializer[Any]):
    level = serializers.CharField(help_text="ok, warn or bad")
    word = serializers.CharField()
    message = serializers.CharField(help_text="what was found, and what to do about it")


class PartRowsSerializer(serializers.Serializer[Dataset]):
    train = serializers.IntegerField(source="train_rows")
    validation = serializers.IntegerField(source="validation_rows")
    test = serializers.IntegerField(source="test_rows")


class DatasetSerializer(DatasetSummarySerializer):
    """What is known of a dataset; what the worker finds out is empty until it has."""

    asked = told(OBJECT, help_text="what its owner fixed of the recipe")
    recipe = told(OBJECT, help_text="what each column is and is for")
    split = told(OBJECT, help_text="kind, train, validation, test, seed, column")
    shape = told(OBJECT, help_text="of one row and of its target")
    report = told(OBJECT, help_text="what was found in the rows")
    steps = serializers.SerializerMethodField(help_text="how far a worker is")
    health = serializers.SerializerMethodField(help_text="the worst first")
    is_used = serializers.SerializerMethodField(help_text="by a job, a model or a search")
    part_rows = PartRowsSerializer(source="*")
    croissant = serializers.SerializerMethodField(help_text="the address of its description")

    class Meta(DatasetSummarySerializer.Meta):
        fields = (
            *DatasetSummarySerializer.Meta.fields,
            *("features", "classes", "class_balance", "asked", "recipe", "split", "shape"),
            *("report", "family", "upload_name", "upload_sha256", "upload_bytes"),
            *("steps", "health", "is_used", "part_rows", "croissant"),
        )

    @extend_schema_field(StepSerializer(many=True))
    def get_steps(self, dataset: Dataset) -> list[dict[str, str]]:
        return training.dataset_steps(dataset=dataset)

    @extend_schema_field(FindingSerializer(many=True))
    def get_health(self, dataset: Dataset) -> list[dict[str, str]]:
        return training.dataset_health(dataset=dataset)

    def get_is_used(self, dataset: Dataset) -> bool:
        return training.is_used(dataset)

    def get_croissant(self, dataset: Dataset) -> str:
        return f"{dataset.get_absolute_url()}croissant.json"


DATASETS = page_of("datasets", DatasetSummarySerializer)


def dataset_body(dataset: Dataset) -> Any:
    return DatasetSerializer(dataset).data


class Datasets(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.TRAIN}
    parser_classes = (ShallowJSONParser, parsers.MultiPartParser)

    @extend_schema(operation_id="datasets_list", responses=DATASETS, parameters=[*PAGE, CATEGORY])
    def get(self, request: Request) -> Response:
        """Bundled datasets and your own, newest first."""
        rows = Dataset.objects.visible_to(caller(request))
        if category := request.query_params.get("category"):
            if category not in Category.values:
                reason = f"{category!r} is none of {', '.join(Category.values)}."
                raise exceptions.ValidationError({"category": reason})
            rows = rows.filter(category=category)
        return listed(request, DATASETS, rows)

    @extend_schema(
        operation_id="datasets_create",
        request={"multipart/form-data": UploadRequest, "application/json": InlineRequest},
        responses={202: DatasetSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Bring a file, or rows in the request; a worker reads them."""
        owner = caller(request)
        if request.content_type.startswith("multipart/"):
            response = upload(request, owner)
        else:
            response = once(request, lambda: created(inline_dataset(owner, request.data)))
        response["Location"] = f"/api/v1/datasets/{response.data['slug']}"
        return response


def upload(request: Request, owner: User) -> Response:
    asked = UploadRequest(data=request.data)
    asked.is_valid(raise_exception=True)
    file = asked.validated_data["file"]
    texts = {str(name): asked.validated_data[name] for name in Texts().fields}
    payload = texts | {"file": file.name, "sha256": governance.digest_of(file)}

    def act() -> tuple[int, dict[str, Any]]:
        return created(
            training.upload_dataset(owner=owner, file=file, file_name=file.name, **texts)
        )

    return once(request, act, payload)


def inline_dataset(owner: User, body: object) -> Dataset:
    """The dataset of rows that stand in a request, in any of the spellings."""
    if not isinstance(body, Mapping):
        raise exceptions.ValidationError({"features": "send an object with features and labels."})
    asked = Texts(data=body)
    asked.is_valid(raise_exception=True)
    features = spelled(body, FEATURES)
    if features is None:
        raise exceptions.ValidationError(
            {"features": f"is required; spell it {' or '.join(FEATURES)}, or send a file."}
        )
    return training.add_inline_dataset(
        owner=owner, features=features, labels=spelled(body, LABELS), **asked.validated_data
    )


def spelled(body: Mapping[str, Any], spellings: tuple[str, ...]) -> Any:
    """The value under the one of these names that was sent."""
    given = [name for name in spellings if body.get(name) is not None]
    if len(given) > 1:
        reason = f"is sent as {' and as '.join(given)}; send one."
        raise exceptions.ValidationError({given[0]: reason})
    return body[given[0]] if given else None


def created(dataset: Dataset) -> tuple[int, dict[str, Any]]:
    return 202, dataset_body(dataset)


def chosen_dataset(owner: User, given: object, config: object) -> Dataset:
    """The dataset that a request names by its slug, or whose rows it holds. A worker has to read
    rows before a job on them has a shape and a price, so who sends new ones is told where they are
    read and when to send the same again; the same rows are then the same dataset. Nothing is kept
    for a configuration that makes no sense with any rows.
    """
    if not isinstance(given, str):
        training.judge_config(config)
        return inline_dataset(owner, given)
    return training.find_dataset(viewer=owner, slug=given)


class OneDataset(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "PATCH": Scope.TRAIN, "DELETE": Scope.TRAIN}

    @extend_schema(operation_id="datasets_get", responses=DatasetSerializer)
    def get(self, request: Request, slug: str) -> Response:
        """A dataset with its schema, what was found in its rows, and how far a worker is."""
        return tagged(request, dataset_body(visible(request, slug)))

    @extend_schema(
        operation_id="datasets_correct",
        request=SchemaRequest,
        responses={202: DatasetSerializer},
        parameters=[IF_MATCH],
    )
    def patch(self, request: Request, slug: str) -> Response:
        """Correct the schema; a part that is left out stays. The rows are read again, as the next
        version where jobs refer to this one.
        """
        asked = SchemaRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data

        def correct(dataset: Dataset) -> tuple[int, Any]:
            recipe = data.get("recipe", dataset.recipe)
            if not data["keep_measured"]:
                recipe = training.unfitted(recipe=recipe, dataset=dataset)
            corrected = training.correct_schema(
                actor=caller(request),
                dataset=dataset,
                recipe=recipe,
                split=data.get("split", dataset.split or training.DEFAULT_SPLIT),
            )
            return 202, dataset_body(corrected)

        return changed(request, find=lambda: visible(request, slug), tell=dataset_body, act=correct)

    @extend_schema(operation_id="datasets_delete", responses={204: None}, parameters=[IF_MATCH])
    def delete(self, request: Request, slug: str) -> Response:
        """Delete a version that no job, model or search refers to."""

        def remove(dataset: Dataset) -> tuple[int, None]:
            training.delete_dataset(actor=caller(request), dataset=dataset)
            return 204, None

        return changed(request, find=lambda: visible(request, slug), tell=dataset_body, act=remove)


def visible(request: Request, slug: str) -> Dataset:
    return get_object_or_404(Dataset.objects.visible_to(caller(request)), slug=slug)
