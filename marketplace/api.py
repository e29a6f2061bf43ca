"""The JSON door of the marketplace. Operations, fields and enumerations bear the original's names.

Where the original's two sources spell a field differently, both spellings are accepted.
"""

import uuid
from decimal import Decimal
from typing import Any

from django.db.models import Q
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.requests import CURSOR, IDEMPOTENCY_KEY, PAGE_LENGTH_MAX, caller, once, page
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import DESCRIPTION_LENGTH_MAX, Plan, Purchase, Template
from training import services as training
from training.models import Category, Model
from training.services import Prediction


class ListQuery(serializers.Serializer[Any]):
    category = serializers.ChoiceField(Category.choices, required=False)
    tier = serializers.ChoiceField(["free", "paid"], required=False)
    search = serializers.CharField(max_length=100, required=False)
    limit = serializers.IntegerField(default=20, min_value=1, max_value=PAGE_LENGTH_MAX)


class PublishRequest(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    name = serializers.CharField(max_length=80)
    description = serializers.CharField(max_length=DESCRIPTION_LENGTH_MAX)
    summary = serializers.CharField(max_length=160, default="", allow_blank=True)
    category = serializers.ChoiceField(Category.choices, default=Category.CUSTOM)
    plan = serializers.ChoiceField(Plan.choices, required=False)
    price = serializers.DecimalField(
        13, 6, default=Decimal(0), min_value=0, help_text="credits, once"
    )
    call_price = serializers.DecimalField(
        13, 6, default=Decimal(0), min_value=0, help_text="credits per prediction"
    )


def template_body(template: Template, *, sales: int) -> dict[str, Any]:
    version = template.current
    validation = version.validation
    return {
        "id": str(template.pk),
        "name": template.name,
        "description": template.description,
        "category": template.category,
        "tier": "paid" if template.price_microcredits else "free",
        "plan": template.plan,
        "price_credits": billing.credits(template.price_microcredits),
        "call_price_credits": billing.credits(template.charged_microcredits),
        "downloads": sales,
        "author_id": str(template.owner_id),
        "status": template.status,
        "url": template.get_absolute_url(),
        "model_id": str(version.model_id),
        "version": version.number,
        "accuracy": validation.accuracy,
        "latency_p50_ms": validation.latency_p50_ms,
        "model_size_mb": validation.model_size_mb,
    }


class Templates(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.PUBLISH}

    @extend_schema(
        operation_id="neural_list_templates", parameters=[ListQuery, CURSOR], responses=dict
    )
    def get(self, request: Request) -> Response:
        """Public templates, newest first."""
        query = ListQuery(data=request.query_params)
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        rows = Template.objects.public().with_current()
        if "category" in asked:
            rows = rows.filter(category=asked["category"])
        if "tier" in asked:
            free = asked["tier"] == "free"
            rows = rows.filter(price_microcredits=0) if free else rows.exclude(price_microcredits=0)
        if "search" in asked:
            rows = rows.filter(
                Q(name__icontains=asked["search"]) | Q(description__icontains=asked["search"])
            )
        shown, following = page(
            request, rows, ordering=("-published_at", "-created_at"), length=asked["limit"]
        )
        sales = Purchase.objects.per_template(shown)
        found = [template_body(row, sales=sales.get(row.pk, 0)) for row in shown]
        return Response({"templates": found, "count": len(found), "next": following})

    @extend_schema(
        operation_id="neural_publish_template",
        request=PublishRequest,
        responses={201: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Offer a validated model; a moderator's approval makes it public."""
        asked = PublishRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        data = asked.validated_data
        owner = caller(request)
        model = training.find_model(owner=owner, model_id=data["model_id"])
        plan = data.get("plan") or (Plan.STANDARD if data["price"] else Plan.FREE)

        def act() -> tuple[int, dict[str, Any]]:
            template = marketplace.publish_template(
                owner=owner,
                model=model,
                name=data["name"],
                summary=data["summary"],
                description=data["description"],
                category=Category(data["category"]),
                plan=Plan(plan),
                price_microcredits=billing.microcredits(data["price"]),
                call_price_microcredits=billing.microcredits(data["call_price"]),
            )
            body = template_body(template, sales=0)
            return 201, body | {"template_id": body["id"], "templateId": body["id"]}

        return once(request, act)


class Purchases(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_buy_template",
        request=None,
        responses={201: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Buy a template: the price moves, 70 % of it to the author."""
        buyer = caller(request)
        template = get_object_or_404(Template.objects.visible_to(buyer), pk=template_id)

        def act() -> tuple[int, dict[str, Any]]:
            purchase = marketplace.buy_template(buyer=buyer, template=template)
            return 201, {
                "purchase_id": str(purchase.pk),
                "price_credits": billing.credits(purchase.price_microcredits),
                "author_credits": billing.credits(purchase.author_microcredits),
                "platform_credits": billing.credits(purchase.platform_microcredits),
            }

        return once(request, act)


DEPLOYMENT_NAME = serializers.CharField(max_length=80, allow_blank=True)


class DeployRequest(serializers.Serializer[Any]):
    custom_config = serializers.DictField(default=dict, help_text="may set: name")

    def validate_custom_config(self, value: dict[str, Any]) -> dict[str, Any]:
        for name, given in value.items():
            if name != "name":
                raise serializers.ValidationError(f"{name}: cannot be set here; name can.")
            if not isinstance(given, str):
                raise serializers.ValidationError("name: must be a text of at most 80 letters.")
            DEPLOYMENT_NAME.run_validation(given)
        return value


class Deployments(APIView):
    required_scope = {"POST": Scope.BUY}

    @extend_schema(
        operation_id="neural_deploy_template",
        request=DeployRequest,
        responses={201: dict},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Start answering predictions with a template that is yours, bought or free."""
        asked = DeployRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        owner = caller(request)
        template = get_object_or_404(Template.objects.visible_to(owner), pk=template_id)
        name = asked.validated_data["custom_config"].get("name", "")

        def act() -> tuple[int, dict[str, Any]]:
            made = marketplace.deploy_template(owner=owner, template=template, name=name)
            return 201, {
                "deployment_id": str(made.pk),
                "deploymentId": str(made.pk),
                "status": "active",
                "template": template.name,
                "model_id": str(made.model_id),
                "predict_url": f"/api/v1/models/{made.model_id}/predict",
                "call_price_credits": billing.credits(made.call_price_microcredits),
            }

        return once(request, act)


class PredictRequest(serializers.Serializer[Any]):
    input_data = serializers.JSONField(
        required=False,
        help_text="a row, or a list of rows; by name or in order; a picture "
        "as its numbers or as a file in Base64",
    )
    input = serializers.JSONField(required=False, help_text="the same, by its other name")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        given = [name for name in ("input_data", "input") if name in attrs]
        if len(given) != 1:
            raise serializers.ValidationError({"input_data": "Send input_data, once."})
        return {"rows": attrs[given[0]]}


def sureness(prediction: Prediction) -> dict[str, float]:
    """How sure the first answer is, where it is one that can be sure."""
    answer = prediction.to_json()
    return {"confidence": answer["confidence"]} if "confidence" in answer else {}


class Predict(APIView):
    required_scope = {"POST": Scope.PREDICT}

    @extend_schema(
        operation_id="neural_predict",
        request=PredictRequest,
        responses=dict,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, model_id: uuid.UUID) -> Response:
        """Predict with a model that is yours or deployed by you; each row is metered."""
        asked = PredictRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        user = caller(request)
        model = get_object_or_404(Model.objects.select_related("owner"), pk=model_id)

        def act() -> tuple[int, dict[str, Any]]:
            answer = marketplace.predict_model(
                user=user, model=model, rows=asked.validated_data["rows"], event_id=uuid.uuid4()
            )
            return 200, {
                "prediction_id": str(answer.id),
                "model_id": str(model.pk),
                "predictions": [prediction.to_json() for prediction in answer.predictions],
                **sureness(answer.predictions[0]),
                "credits": billing.credits(answer.microcredits),
            }

        return once(request, act)
