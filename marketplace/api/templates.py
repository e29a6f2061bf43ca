"""Listing and publishing templates, for programs. Names and enumerations are the original's."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from billing import services as billing
from governance.api.answers import page_of, paged
from governance.api.requests import caller, once
from governance.api.schema import CURSOR, IDEMPOTENCY_KEY, PAGE_LENGTH_MAX
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.models import (
    DESCRIPTION_LENGTH_MAX,
    NAME_LENGTH_MAX,
    SUMMARY_LENGTH_MAX,
    Plan,
    Template,
)
from training import services as training
from training.models import Category


class ListQuery(serializers.Serializer[Any]):
    q = serializers.CharField(
        max_length=2_000,
        default="",
        help_text="As it is typed in the catalogue: `digit category:vision price:0 accuracy>0.95`.",
    )
    sort = serializers.ChoiceField(list(marketplace.ORDERS), default="newest")
    category = serializers.ChoiceField(Category.choices, required=False)
    tier = serializers.ChoiceField(["free", "paid"], required=False)
    search = serializers.CharField(max_length=100, required=False)
    limit = serializers.IntegerField(default=20, min_value=1, max_value=PAGE_LENGTH_MAX)


class PublishRequest(serializers.Serializer[Any]):
    model_id = serializers.UUIDField()
    name = serializers.CharField(max_length=NAME_LENGTH_MAX)
    description = serializers.CharField(max_length=DESCRIPTION_LENGTH_MAX)
    summary = serializers.CharField(max_length=SUMMARY_LENGTH_MAX, default="", allow_blank=True)
    category = serializers.ChoiceField(Category.choices, default=Category.CUSTOM)
    plan = serializers.ChoiceField(Plan.choices, required=False)
    price = serializers.DecimalField(
        13, 6, default=Decimal(0), min_value=0, help_text="credits, once"
    )
    call_price = serializers.DecimalField(
        13, 6, default=Decimal(0), min_value=0, help_text="credits per prediction"
    )
    monthly_calls = serializers.IntegerField(
        default=0,
        min_value=0,
        max_value=marketplace.MONTHLY_CALLS_MAX,
        help_text="predictions included each month, for each buyer",
    )


def template_body(template: Template, *, sales: int) -> dict[str, Any]:
    version = template.shown
    validation = version.validation
    return {
        "id": str(template.pk),
        "name": template.name,
        "description": template.description,
        "category": template.category,
        "tier": "paid" if version.price_microcredits else "free",
        "plan": version.plan,
        "price_credits": billing.credits(version.price_microcredits),
        "call_price_credits": billing.credits(version.charged_microcredits),
        "downloads": sales,
        "author_id": str(template.owner_id),
        "status": template.state.value,
        "url": template.get_absolute_url(),
        "model_id": str(version.model_id),
        "version": version.number,
        "accuracy": validation.accuracy if validation else None,
        "latency_p50_ms": validation.latency_p50_ms if validation else None,
        "model_size_mb": validation.model_size_mb if validation else None,
    }


class TemplateSerializer(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()
    description = serializers.CharField(help_text="Markdown")
    category = serializers.ChoiceField(Category.choices)
    tier = serializers.ChoiceField(["free", "paid"])
    plan = serializers.ChoiceField(Plan.choices)
    price_credits = serializers.CharField(help_text="once")
    call_price_credits = serializers.CharField(help_text="for a prediction")
    downloads = serializers.IntegerField(help_text="how often it was bought")
    author_id = serializers.UUIDField()
    status = serializers.CharField()
    url = serializers.CharField(help_text="of its page")
    model_id = serializers.UUIDField()
    version = serializers.IntegerField()
    accuracy = serializers.FloatField(allow_null=True, help_text="0 to 1")
    latency_p50_ms = serializers.FloatField(allow_null=True)
    model_size_mb = serializers.FloatField(allow_null=True)


class PublishedSerializer(TemplateSerializer):
    template_id = serializers.UUIDField()
    templateId = serializers.UUIDField()  # noqa: N815


TEMPLATES = page_of("templates", TemplateSerializer)


def asked_query(asked: dict[str, Any]) -> marketplace.Query:
    """The one query that these parameters are together."""
    beside = [("category", asked.get("category", ""))]
    if "tier" in asked:
        beside.append(("price", "0" if asked["tier"] == "free" else "0.000001.."))
    return marketplace.read_query(f"{asked['q']} {asked.get('search', '')}", beside)


class Templates(APIView):
    required_scope = {"GET": Scope.MODELS_READ, "POST": Scope.PUBLISH}

    @extend_schema(
        operation_id="neural_list_templates", parameters=[ListQuery, CURSOR], responses=TEMPLATES
    )
    def get(self, request: Request) -> Response:
        """Templates on offer, the newest first unless `sort` says otherwise. `q` takes all that the
        catalogue's search box takes.
        """
        asked = ListQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        shown, cursor = marketplace.list_templates(
            query=asked_query(asked.validated_data),
            order=marketplace.order_named(asked.validated_data["sort"]),
            cursor=request.query_params.get("cursor", ""),
            length=asked.validated_data["limit"],
        )
        here = request.build_absolute_uri()
        following = replace_query_param(here, "cursor", cursor) if cursor else None
        found = [template_body(row, sales=sales) for row, sales in shown]
        return paged(request, TEMPLATES, found, following)

    @extend_schema(
        operation_id="neural_publish_template",
        request=PublishRequest,
        responses={201: PublishedSerializer},
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
                monthly_calls=data["monthly_calls"],
            )
            body = template_body(template, sales=0)
            return 201, body | {"template_id": body["id"], "templateId": body["id"]}

        return once(request, act)
