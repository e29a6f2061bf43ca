"""Holds every answer of the JSON door, in every test, to what the schema says of it.

A middleware of the tests' settings: an answer whose status, format or body the schema does not know
fails the test that asked, whatever that was about.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

DESCRIBED = re.compile(r"^/?api/v1/")


@cache
def schema() -> dict[str, Any]:
    generator = SchemaGenerator()
    # As it is served: what is lazy is written, and numbers of statuses are text.
    return json.loads(json.dumps(generator.get_schema(request=None, public=True), default=str))


@cache
def registry() -> Registry:
    resource = Resource.from_contents(schema(), default_specification=DRAFT202012)
    return Registry().with_resource("urn:schema", resource)


@cache
def validator(reference: str) -> Draft202012Validator:
    return Draft202012Validator(
        {"$ref": f"urn:schema#{reference}"}, registry=registry(), format_checker=FormatChecker()
    )


def pointer(*parts: str) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in parts)


def resolved(place: tuple[str, ...]) -> tuple[tuple[str, ...], Any]:
    """What stands at a place, and where it really stands, if that is a reference."""
    found: Any = schema()
    for part in place:
        found = found[part]
    if "$ref" in found:
        return resolved(tuple(found["$ref"].removeprefix("#/").split("/")))
    return place, found


def check(request: HttpRequest, response: HttpResponse) -> None:
    match = request.resolver_match
    if match is None or not DESCRIBED.match(request.path_info):
        return
    path = "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", match.route)
    operations = schema()["paths"].get(path, {})
    method = str(request.method).lower()
    if method not in operations or response.status_code in (304, 405):
        return
    asked = f"{request.method} {path}"
    status = str(response.status_code)
    assert status in operations[method]["responses"], f"{asked} does not tell of {status}"
    place, told = resolved(("paths", path, method, "responses", status))
    if "content" not in told:
        assert not response.content, f"{asked} tells of no content with {status}"
        return
    kind = response["Content-Type"].split(";")[0]
    assert kind in told["content"], f"{asked} does not tell of {kind}"
    if kind.endswith("json"):
        held = validator(pointer(*place, "content", kind, "schema"))
        errors = [
            f"{error.json_path}: {error.message[:300]}"
            for error in held.iter_errors(json.loads(response.content))
        ]
        assert not errors, f"{asked} answers otherwise than it tells: {errors[:5]}"


class ConformanceMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        check(request, response)
        return response
