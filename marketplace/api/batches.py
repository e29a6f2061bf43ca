"""Batches for programs: bring a file of rows, learn its price, accept it, take the answers home."""

import uuid
from decimal import Decimal
from typing import Any

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import parsers, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing.models import MICROCREDITS
from governance import services as governance
from governance.api.answers import Millionths, listed, page_of, tagged
from governance.api.keys import require_scope
from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY, PAGE
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.found import GONE, found_template
from marketplace.models import Batch, BatchQuerySet, Deployment, Template

CREDITS_MAX = 1_000_000


class BatchRequest(serializers.Serializer[Any]):
    file = serializers.FileField(
        allow_empty_file=True,
        help_text="CSV, TSV, Parquet, JSON lines or NPY; the columns are those that the model "
        "takes, by name, and others are left aside",
    )
    deployment_id = serializers.UUIDField(required=False, help_text="what answers the rows")
    template_id = serializers.UUIDField(
        required=False,
        help_text="instead: your deployment of it, which is made if need be; a key needs the "
        "scope market:buy for it",
    )
    result_format = serializers.ChoiceField(Batch.Format.choices, default=Batch.Format.CSV)
    accept_up_to = serializers.DecimalField(
        required=False,
        allow_null=True,
        min_value=Decimal(0),
        max_value=Decimal(CREDITS_MAX),
        max_digits=13,
        decimal_places=6,
        help_text="credits; a price of no more is accepted without being asked again",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("deployment_id" in attrs) == ("template_id" in attrs):
            raise serializers.ValidationError(
                {"deployment_id": "Send deployment_id or template_id, one of them."}
            )
        return attrs


class ProblemSerializer(serializers.Serializer[Any]):
    row = serializers.IntegerField(help_text="its number in the file, from 1")
    column = serializers.CharField(allow_blank=True)
    reason = serializers.CharField()


class AnsweringSerializer(serializers.Serializer[Any]):
    version = serializers.IntegerField()
    model_id = serializers.UUIDField()
    weights_sha256 = serializers.CharField()
    model_sha256 = serializers.CharField()
    kernel_hash = serializers.CharField()


class ReceiptSerializer(serializers.Serializer[Any]):
    """What was answered by which weights: asked alone, a row has the same bits."""

    rows = serializers.IntegerField()
    included_rows = serializers.IntegerField(help_text="that the month includes")
    row_credits = serializers.CharField()
    credits = serializers.CharField()
    models = AnsweringSerializer(many=True)
    aggregation = serializers.CharField(allow_blank=True)
    upload_sha256 = serializers.CharField()
    result_sha256 = serializers.CharField(allow_blank=True)
    result_bytes = serializers.IntegerField()


class BatchSerializer(serializers.ModelSerializer[Batch]):
    batch_id = serializers.UUIDField(source="id")
    status = serializers.ChoiceField(Batch.State.choices)
    deployment_id = serializers.UUIDField()
    rows = serializers.IntegerField(help_text="0 until the file was read")
    row_credits = Millionths(source="price_microcredits")
    quote_credits = Millionths(source="quote_microcredits", help_text="what it costs at most")
    credits = Millionths(source="cost_microcredits", help_text="what it cost so far")
    unused_columns = serializers.ListField(child=serializers.CharField(), source="unused")
    problems = serializers.SerializerMethodField(help_text="the first rows that are none")
    has_result = serializers.BooleanField()
    url = serializers.CharField(source="get_absolute_url")

    class Meta:
        model = Batch
        fields: tuple[str, ...] = (
            *("batch_id", "deployment_id", "status", "upload_name", "upload_format"),
            *("result_format", "rows", "rows_done", "row_credits", "quote_credits", "credits"),
            *("unused_columns", "problems", "error_code", "error_message", "has_result", "url"),
            *("created_at", "accepted_at", "finished_at", "forgotten_at"),
        )

    @extend_schema_field(ProblemSerializer(many=True))
    def get_problems(self, batch: Batch) -> Any:
        return ProblemSerializer(batch.problems, many=True).data


class BatchDetailSerializer(BatchSerializer):
    receipt = serializers.SerializerMethodField()

    class Meta(BatchSerializer.Meta):
        fields = (*BatchSerializer.Meta.fields, "receipt")

    @extend_schema_field(ReceiptSerializer)
    def get_receipt(self, batch: Batch) -> Any:
        return ReceiptSerializer(marketplace.receipt_of(batch=batch)).data


BatchPage = page_of("batches", BatchSerializer)


def own(request: Request) -> BatchQuerySet:
    return Batch.objects.of(caller(request)).select_related("owner", "deployment__template")


def own_batch(request: Request, batch_id: uuid.UUID) -> Batch:
    return get_object_or_404(own(request), pk=batch_id)


def body_of(batch: Batch) -> dict[str, Any]:
    return dict(BatchDetailSerializer(batch).data)


def asked_of(request: Request, asked: dict[str, Any]) -> Deployment | Template:
    if "template_id" in asked:
        return found_template(request, asked["template_id"])
    rows = Deployment.objects.of(caller(request)).with_stable()
    return get_object_or_404(rows, pk=asked["deployment_id"])


class Batches(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.PREDICT}
    parser_classes = (parsers.MultiPartParser,)

    @extend_schema(operation_id="neural_list_batches", responses=BatchPage, parameters=PAGE)
    def get(self, request: Request) -> Response:
        """Your batches, newest first."""
        return listed(request, BatchPage, own(request))

    @extend_schema(
        operation_id="neural_predict_batch",
        request={"multipart/form-data": BatchRequest},
        responses={202: BatchDetailSerializer, **GONE},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Bring a file of rows. A worker reads it and tells its price, or which row is none;
        nothing is charged before the price is accepted.
        """
        given = BatchRequest(data=request.data)
        given.is_valid(raise_exception=True)
        user, asked = caller(request), given.validated_data
        if "template_id" in asked:
            require_scope(request, Scope.BUY)
        file, most = asked.pop("file"), asked.pop("accept_up_to", None)
        said = {name: str(value) for name, value in (asked | {"accept_up_to": most}).items()}
        payload = said | {"file": file.name, "sha256": governance.digest_of(file)}

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.start_batch(
                owner=user,
                deployment=asked_of(request, asked),
                file=file,
                file_name=file.name,
                result_format=asked["result_format"],
                accept_up_to_microcredits=None if most is None else int(most * MICROCREDITS),
            )
            return 202, body_of(made)

        response = once(request, act, payload)
        response["Location"] = f"/api/v1/batches/{response.data['batch_id']}"
        return response


class OneBatch(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "DELETE": Scope.PREDICT}

    @extend_schema(operation_id="neural_batch_status", responses=BatchDetailSerializer)
    def get(self, request: Request, batch_id: uuid.UUID) -> Response:
        """How far it is, what it costs, and its receipt."""
        return tagged(request, body_of(own_batch(request, batch_id)))

    @extend_schema(operation_id="neural_delete_batch", request=None, responses={204: None})
    def delete(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Delete the files of one that is over, or waits for you. Its receipt stays."""
        batch = own_batch(request, batch_id)
        marketplace.delete_batch(actor=caller(request), batch=batch)
        return Response(status=204)


class AcceptBatch(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_accept_batch",
        request=None,
        responses={200: BatchDetailSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Agree to `quote_credits`; rows are charged as they are answered."""
        batch = own_batch(request, batch_id)

        def act() -> tuple[int, dict[str, Any]]:
            return 200, body_of(marketplace.accept_batch(actor=caller(request), batch=batch))

        return once(request, act)


class CancelBatch(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_cancel_batch",
        request=None,
        responses={200: BatchDetailSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Answer no further row. Those that were answered are paid, and you keep them."""
        batch = own_batch(request, batch_id)

        def act() -> tuple[int, dict[str, Any]]:
            return 200, body_of(marketplace.cancel_batch(actor=caller(request), batch=batch))

        return once(request, act)


class ResultLinkSerializer(serializers.Serializer[Any]):
    url = serializers.URLField(help_text="Needs no key, takes ranges, and is for you alone.")
    expires_at = serializers.DateTimeField()
    size_bytes = serializers.IntegerField()
    sha256 = serializers.CharField()


class LinkBatch(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_link_batch",
        request=None,
        responses={201: ResultLinkSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """An address to download the answers from, for ten minutes."""
        batch = own_batch(request, batch_id)

        def act() -> tuple[int, dict[str, Any]]:
            link = marketplace.link_batch_result(actor=caller(request), batch=batch)
            found = {
                "url": request.build_absolute_uri(link.address),
                "expires_at": link.expires_at,
                "size_bytes": batch.result_bytes,
                "sha256": batch.result_sha256,
            }
            return 201, dict(ResultLinkSerializer(found).data)

        return once(request, act)
