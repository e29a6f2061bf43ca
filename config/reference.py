"""The API's operations as the documentation lists them, out of the OpenAPI description.

The description is made from the views, so no operation is missing here and none is invented; each
has a call that a terminal can repeat.
"""

import json
import shlex
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.urls import resolve
from drf_spectacular.generators import SchemaGenerator

Schema = dict[str, Any]
UUID = "00000000-0000-4000-8000-000000000000"
# By the first part of an address, in the order in which people need them.
GROUPS = {
    "datasets": "Datasets",
    "training-jobs": "Training",
    "searches": "Searches for settings",
    "models": "Models and predictions",
    "templates": "Templates",
    "deployments": "Deployments",
    "clusters": "Clusters",
    "peer-reviews": "Peer reviews",
    "wallet": "Your wallet",
    "notices": "Notices",
    "webhooks": "Webhooks",
}
# Bodies that say more than what is required; the others are worked out from their schema.
NETWORK = {
    "architecture": {"type": "feedforward", "layers": [{"type": "dense", "units": 16}]},
    "training": {"epochs": 40, "batch_size": 16, "learning_rate": 0.01, "optimizer": "adam"},
}
BODIES: dict[str, Any] = {
    "neural_train": {"config": NETWORK, "dataset": "iris", "tier": "nano", "seed": 1},
    "neural_predict": {"input_data": [5.1, 3.5, 1.4, 0.2]},
    "neural_validation_workflow": {"validation_type": "comprehensive"},
    "neural_performance_benchmark": {"benchmark_type": "inference"},
    "neural_document_model": {
        "licence": "Apache-2.0",
        "intended_use": "Telling three kinds of iris apart by their measures.",
        "limits": "It knows no other flower, and names one of the three all the same.",
    },
    "neural_publish_template": {
        "model_id": UUID,
        "name": "Iris classifier",
        "description": "Tells three kinds of iris apart.",
        "category": "classification",
        "price": 15,
    },
    "neural_rate_template": {"rating": 5, "review": "It names every iris of my garden."},
    "neural_deploy_template": {"custom_config": {"name": "Greenhouse"}},
    "neural_cluster_init": {"name": "Two workers", "topology": "star"},
    "neural_node_deploy": {"role": "worker"},
    "neural_train_distributed": {"dataset": "digits", "epochs": 10, "learning_rate": 0.01},
    "neural_predict_distributed": {"input_data": "[0, 1, 2]", "aggregation": "mean"},
    "webhooks_create": {"url": "https://example.org/hooks"},
    "datasets_create": {"features": [[1, 2], [3, 4]], "labels": ["low", "high"]},
}


@dataclass(frozen=True, kw_only=True)
class Operation:
    name: str
    method: str
    path: str
    description: str
    scope: str
    body: Any  # an example; None where there is none to send
    is_change: bool  # of what is there, so that it says of which state

    @property
    def command(self) -> str:
        """A call of curl, a line for each part."""
        method = {"GET": "", "POST": ""}.get(self.method, f"-X {self.method} ")
        if self.method == "POST" and self.body is None:
            method = "-X POST "
        lines = [
            f'curl -s {method}"$NEURAL_API_URL{self.path}"',
            '-H "Authorization: Bearer $NEURAL_API_KEY"',
        ]
        if self.is_change:
            lines.append("-H 'If-Match: *'")
        if self.body is not None:
            lines.append(f"--json {shlex.quote(json.dumps(self.body, ensure_ascii=False))}")
        return " \\\n  ".join(lines)


@cache
def described() -> Schema:
    """The OpenAPI description, made once: half a second."""
    found: Schema = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return found


@cache
def groups() -> list[tuple[str, list[Operation]]]:
    """Every operation under what it is about; what is new stands at the end, under its address."""
    found: dict[str, list[Operation]] = {title: [] for title in GROUPS.values()}
    for path, methods in described()["paths"].items():
        first = path.removeprefix("/api/v1/").partition("/")[0]
        title = GROUPS.get(first, first.replace("-", " ").capitalize())
        found.setdefault(title, []).extend(
            operation(path, method, written) for method, written in methods.items()
        )
    return [(title, operations) for title, operations in found.items() if operations]


def operation(path: str, method: str, written: Schema) -> Operation:
    filled, parameters = path, written.get("parameters", [])
    for each in parameters:
        if each["in"] == "path":
            filled = filled.replace(f"{{{each['name']}}}", sample(each["schema"]))
    content = written.get("requestBody", {}).get("content", {}).get("application/json")
    name = written["operationId"]
    return Operation(
        name=name,
        method=method.upper(),
        path=filled,
        description=written.get("description") or written.get("summary", ""),
        scope=scope_of(filled, method.upper()),
        body=None if content is None else BODIES.get(name) or example(content["schema"]),
        is_change=any(each["name"] == "If-Match" for each in parameters),
    )


def scope_of(path: str, method: str) -> str:
    """What a key must be allowed for it, as its view says."""
    view = getattr(resolve(path).func, "view_class", None)
    return str(getattr(view, "required_scope", {}).get(method, ""))


def example(schema: Schema) -> Any:
    """The least that fits a schema: what it proposes itself, and of an object what is required."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return example(described()["components"]["schemas"][name])
    for said in ("example", "default", "const"):
        if schema.get(said) is not None:
            return schema[said]
    if "enum" in schema:
        return schema["enum"][0]
    for several in ("allOf", "oneOf", "anyOf"):
        if several in schema:
            return example(schema[several][0])
    return of_type(schema)


def of_type(schema: Schema) -> Any:
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {})
        return {
            name: example(fields[name]) for name in schema.get("required", []) if name in fields
        }
    if kind == "array":
        return [example(schema.get("items", {}))] * max(schema.get("minItems", 1), 1)
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "string": sample(schema)}.get(str(kind), {})


def sample(schema: Schema) -> str:
    formats = {
        "date-time": "2027-01-01T00:00:00Z",
        "decimal": "10",
        "uri": "https://example.org/",
        "uuid": UUID,
    }
    plain = "example" if schema.get("type") == "string" else "1"
    return str(formats.get(schema.get("format", ""), plain))
