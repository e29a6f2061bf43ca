"""The steps of a version after its draft, for programs: submitted, recalled, published, ended."""

import uuid
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from governance.api.requests import caller, once
from governance.api.schema import IDEMPOTENCY_KEY
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.api.versions import (
    VERSIONS,
    OneVersionSerializer,
    body,
    known,
    own_template,
    own_version,
)
from marketplace.models import REASON_LENGTH_MAX


class ReasonRequest(serializers.Serializer[Any]):
    reason = serializers.CharField(max_length=REASON_LENGTH_MAX, help_text="everybody reads it")


def acted(
    request: Request, template_id: uuid.UUID, number: int, do: Callable[..., object]
) -> Response:
    """The version, after something was done to it once."""
    version = own_version(request, template_id, number)

    def act() -> tuple[int, Any]:
        do(actor=caller(request), version=version)
        return 200, body(request, own_version(request, template_id, number))

    return once(request, act)


def reason_in(request: Request) -> str:
    asked = ReasonRequest(data=request.data)
    asked.is_valid(raise_exception=True)
    return str(asked.validated_data["reason"])


def documented(operation_id: str, request: Any = None) -> Callable[[Any], Any]:
    return extend_schema(
        operation_id=operation_id,
        request=request,
        responses={200: OneVersionSerializer},
        parameters=[IDEMPOTENCY_KEY],
    )


class SubmitVersion(APIView):
    required_scope = {"POST": Scope.PUBLISH}

    @documented("neural_submit_version")
    def post(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Send a draft to review, bound to the measurements it is judged by."""
        return acted(request, template_id, number, marketplace.submit_version)


class RecallVersion(APIView):
    required_scope = {"POST": Scope.PUBLISH}

    @documented("neural_recall_version")
    def post(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Take a submission back, to mend it."""
        return acted(request, template_id, number, marketplace.recall_version)


class PublishVersion(APIView):
    required_scope = {"POST": Scope.PUBLISH}

    @documented("neural_publish_version")
    def post(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Put an approved version on offer, where you wanted to say when."""
        return acted(request, template_id, number, marketplace.publish_version)


class DeprecateVersion(APIView):
    required_scope = {"POST": Scope.PUBLISH, "DELETE": Scope.PUBLISH}

    @documented("neural_deprecate_version", ReasonRequest)
    def post(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Tell people to use another one; who has it keeps it."""
        reason = reason_in(request)
        deprecate = marketplace.deprecate_version
        return acted(
            request, template_id, number, lambda **named: deprecate(reason=reason, **named)
        )

    @documented("neural_revive_version")
    def delete(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Offer a deprecated version as before."""
        return acted(request, template_id, number, marketplace.revive_version)


class WithdrawVersion(APIView):
    required_scope = {"POST": Scope.PUBLISH}

    @documented("neural_withdraw_version", ReasonRequest)
    def post(self, request: Request, template_id: uuid.UUID, number: int) -> Response:
        """Nobody new gets this version, for good; who has it keeps it."""
        reason = reason_in(request)
        withdraw = marketplace.withdraw_version
        return acted(request, template_id, number, lambda **named: withdraw(reason=reason, **named))


class WithdrawTemplate(APIView):
    required_scope = {"POST": Scope.PUBLISH}

    @extend_schema(
        operation_id="neural_withdraw_template",
        request=ReasonRequest,
        responses=VERSIONS,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, template_id: uuid.UUID) -> Response:
        """Nobody new gets any version; who has one keeps it. A further version that is approved
        puts it on offer again. Answers its versions as they are then.
        """
        reason, template = reason_in(request), own_template(request, template_id)

        def act() -> tuple[int, Any]:
            marketplace.withdraw_template(actor=caller(request), template=template, reason=reason)
            rows = list(known(request, template))
            return 200, VERSIONS({"versions": rows, "count": len(rows), "next": None}).data

        return once(request, act)
