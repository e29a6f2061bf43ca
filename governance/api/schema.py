"""The description of the JSON door: OpenAPI 3.1, made from the views, never written by hand.

What every operation shares is said here once: the headers that may be sent, the headers that are
answered, and the problems that may be met, by the shape of the operation. A view says the rest:
its serializers both describe an answer and write it, so that the two cannot differ.
"""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers

PAGE_LENGTH_MAX = 100
METHODS = ("get", "post", "put", "patch", "delete")
PROBLEM = "application/problem+json"

# What may be sent

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "maxLength": 200, "pattern": "^[!-~ ]*$"},
    OpenApiParameter.HEADER,
    description="Makes the call safe to repeat: the same key with the same body acts once, and is "
    "answered the same with `Idempotency-Replayed: true`.",
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string", "pattern": "^[!-~ ]*$"},
    OpenApiParameter.HEADER,
    required=True,
    description="The `ETag` of what you saw, so that nobody's change is lost; or `*`, to act on "
    "whatever is there.",
)
CURSOR = OpenApiParameter(
    "cursor", str, description="Where to read on; take it from the `next` of the last answer."
)
LIMIT = OpenApiParameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": PAGE_LENGTH_MAX, "default": PAGE_LENGTH_MAX},
    description="How many rows a page has at most.",
)
PAGE = [CURSOR, LIMIT]

# What may be met. Why each of them, and the way out, stands at /problems/.

PROBLEMS = {
    400: "The request does not make sense; `invalid_parameters` names what, where it can be told.",
    401: "Nobody is signed in and no usable API key was sent.",
    403: "Whoever called may not do this; `detail` says who may, or which scope is missing.",
    404: "It is not there, or not yours to see.",
    406: "The answer cannot be given in any of the formats that `Accept` names.",
    408: "The body did not arrive in time.",
    409: "What is there does not allow it now; `detail` says why, and `Retry-After`, if it is "
    "there, when to ask again.",
    410: "It was there and no longer is; `detail` says why.",
    412: "It has changed since you saw it: the tag in `If-Match` is not its tag any more.",
    413: "The body has more bytes than are taken.",
    415: "The body is in a format that is not read here; `Content-Type` names it.",
    422: "The content is well formed and cannot be done; `invalid_parameters` names what, where it "
    "can be told.",
    428: "Send `If-Match`, with the tag of what you saw.",
    429: "So much was asked in so little time; `Retry-After` says when to ask again.",
    500: "Something broke on our side; it was logged under the id in `instance`.",
    503: "The site is busy, or a file of ours cannot be read; nothing was changed or charged.",
}
ALWAYS = {400, 401, 403, 406, 429, 500, 503}
BY_PARAMETER = {"If-Match": {412, 428}}
OF_WRITES = {409, 422}
OF_BODIES = {404, 408, 413, 415}  # a body may name what is not there

TEXT = {"type": "string"}
PROBLEM_SCHEMA = {
    "type": "object",
    "description": "An error as RFC 9457 has it. `code` is stable and meant for programs, `detail` "
    "says what, why and the way out. A problem may have members of its own beside these.",
    "required": ["type", "title", "status", "code", "detail", "error", "instance"],
    "properties": {
        "type": TEXT | {"description": "The address of a page about `code`, or `about:blank`."},
        "title": TEXT | {"description": "The status in words."},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "code": TEXT | {"description": "What it is, in snake case; the same for ever."},
        "detail": TEXT | {"description": "For people: what, why and the way out."},
        "error": TEXT | {"description": "The same as `detail`, for KServe's clients."},
        "instance": TEXT | {"description": "The id of the request in our logs."},
        "original_code": TEXT
        | {
            "description": "The code that flow-nexus gives it, for programs written for that one.",
        },
        "invalid_parameters": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {
                    "field": TEXT | {"description": "The path, such as `config.training.epochs`."},
                    "reason": TEXT,
                },
            },
        },
    },
    "additionalProperties": True,
}
HEADERS = {
    "ETag": ("string", "What this state is called; send it as `If-None-Match` or `If-Match`."),
    "Link": ("string", 'The address of the next page, `rel="next"`, where there is one.'),
    "Location": ("string", "Where what was made can be asked for."),
    "Idempotency-Replayed": ("string", "`true` where this key was answered before."),
    "RateLimit-Policy": ("string", 'Such as `"api";q=3000;w=300`: 3,000 calls in 300 seconds.'),
    "RateLimit": ("string", 'Such as `"api";r=2999;t=300`: 2,999 are left for 300 seconds.'),
    "Retry-After": ("integer", "In so many seconds, ask again."),
}
COMPONENTS: dict[str, dict[str, Any]] = {
    "schemas": {"Problem": PROBLEM_SCHEMA},
    "headers": {
        name.replace("-", ""): {"schema": {"type": kind}, "description": text}
        for name, (kind, text) in HEADERS.items()
    },
}


def header_refs(*names: str) -> dict[str, dict[str, str]]:
    return {name: {"$ref": f"#/components/headers/{name.replace('-', '')}"} for name in names}


def refused(status: int, why: str) -> dict[tuple[int, str], OpenApiResponse]:
    """A problem that an operation has beyond those of its shape, or tells more of."""
    reference = {"$ref": "#/components/schemas/Problem"}
    return {(status, PROBLEM): OpenApiResponse(reference, description=why)}


def response_name(status: int) -> str:
    return "".join(word.capitalize() for word in HTTPStatus(status).name.split("_"))


def problem_response(status: int) -> dict[str, Any]:
    retried = header_refs("Retry-After") if status in (409, 429, 503) else {}
    return {
        "description": PROBLEMS[status],
        "headers": header_refs("RateLimit-Policy", "RateLimit") | retried,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def with_problems(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Spectacular's hook: what every operation may be answered besides what its view says."""
    components = result.setdefault("components", {})
    for kind, named in COMPONENTS.items():
        components[kind] = components.get(kind, {}) | named
    components["responses"] = {
        response_name(status): problem_response(status) for status in PROBLEMS
    }
    for operations in result["paths"].values():
        for method in METHODS:
            if method in operations:
                complete(method, operations[method])
    return result


def complete(method: str, operation: dict[str, Any]) -> None:
    parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
    for status, response in operation["responses"].items():
        if int(status) < 400:
            response["headers"] = response.get("headers", {}) | answered(method, parameters)
    for status in sorted(met(method, operation, parameters)):
        ref = {"$ref": f"#/components/responses/{response_name(status)}"}
        operation["responses"].setdefault(str(status), ref)


def answered(method: str, parameters: set[str]) -> dict[str, Any]:
    """The headers of an answer that went well."""
    names = ["RateLimit-Policy", "RateLimit"]
    if method == "get":
        names.append("ETag")
    if "cursor" in parameters:
        names.append("Link")
    if "Idempotency-Key" in parameters:
        names.append("Idempotency-Replayed")
    return header_refs(*names)


def met(method: str, operation: dict[str, Any], parameters: set[str]) -> set[int]:
    """The statuses of the problems that an operation of this shape may be answered."""
    statuses = set(ALWAYS)
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        statuses.add(404)
    if method != "get":
        statuses |= OF_WRITES
    if "requestBody" in operation:
        statuses |= OF_BODIES
    for name in parameters:
        statuses |= BY_PARAMETER.get(name, set())
    return statuses


def always_there(serializer: Any) -> set[str]:
    """The fields of an answer that it always has: all of a row, and otherwise those that do not say
    that they may be left out.
    """
    is_row = isinstance(serializer, serializers.ModelSerializer)
    return {
        name
        for name, field in serializer.fields.items()
        if is_row or field.required or field.read_only or field.default is not serializers.empty
    }


class Schema(AutoSchema):
    """What an answer always has is told of its serializer, which also takes requests."""

    def _postprocess_serializer_schema(
        self, schema: dict[str, Any], serializer: Any, direction: str
    ) -> dict[str, Any]:
        if direction == "response" and schema.get("properties"):
            for described in schema["properties"].values():
                described.pop("readOnly", None)  # of an answer all is
                described.pop("default", None)
            schema["required"] = sorted(always_there(serializer) & set(schema["properties"]))
        processed: dict[str, Any] = super()._postprocess_serializer_schema(  # type: ignore[no-untyped-call]  # it has no types
            schema, serializer, direction
        )
        return processed

    def _get_serializer_name(self, *args: Any, **kwargs: Any) -> str:
        """`TrainRequest` already says that it is one."""
        name: str = super()._get_serializer_name(*args, **kwargs)
        return name.replace("RequestRequest", "Request")


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass has no types
    target_class = "governance.api.keys.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
