"""The API's operations as MCP tools: what each takes and answers, out of the OpenAPI description.

The description is made from the views, so a tool can neither take nor promise anything else than
its endpoint does.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from mcp_types import Tool, ToolAnnotations

from config import reference

# The original's, and what a program cannot end its work without.
OPERATIONS = (
    "neural_train",
    "neural_training_status",
    "neural_training_cancel",
    "neural_list_models",
    "neural_get_model",
    "neural_predict",
    "neural_validation_workflow",
    "neural_validation_status",
    "neural_performance_benchmark",
    "neural_benchmark_status",
    "neural_document_model",
    "neural_list_templates",
    "neural_get_template",
    "neural_publish_template",
    "neural_buy_template",
    "neural_deploy_template",
    "neural_rate_template",
    "neural_cluster_init",
    "neural_node_deploy",
    "neural_cluster_connect",
    "neural_train_distributed",
    "neural_cluster_status",
    "neural_predict_distributed",
    "neural_cluster_terminate",
)
# They spend credits, or end or replace what is there; a client should ask its person first.
CONSEQUENTIAL = (
    "neural_train",
    "neural_train_distributed",
    "neural_training_cancel",
    "neural_document_model",
    "neural_publish_template",
    "neural_buy_template",
    "neural_deploy_template",
    "neural_cluster_terminate",
)
IDEMPOTENCY = "idempotency_key"
REPEATABLE = {
    "type": "string",
    "description": "Of your choice. The same key with the same arguments acts once, however often "
    "it is sent; without one every call acts anew.",
}
Schema = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Where a tool's call goes, and what of its arguments goes where; the rest is the body."""

    tool: Tool
    method: str
    path: str
    in_path: tuple[str, ...]
    in_query: tuple[str, ...]


@cache
def operations() -> dict[str, Operation]:
    """By name, in the order in which clients are told them."""
    described = reference.described()
    found = {
        written["operationId"]: operation(described, method, path, written)
        for path, methods in described["paths"].items()
        for method, written in methods.items()
        if written["operationId"] in OPERATIONS
    }
    return {name: found[name] for name in OPERATIONS if name in found}


def operation(described: Schema, method: str, path: str, written: Schema) -> Operation:
    parameters = written.get("parameters", [])
    places = {
        place: [each for each in parameters if each["in"] == place] for place in ("path", "query")
    }
    tool = Tool(
        name=written["operationId"],
        description=written["description"],
        input_schema=closed(described, input_of(described, written, places)),
        output_schema=closed(described, output_of(written)),
        annotations=ToolAnnotations(
            read_only_hint=method == "get",
            destructive_hint=written["operationId"] in CONSEQUENTIAL,
            idempotent_hint=method != "post",
            open_world_hint=False,  # all of it happens on this site
        ),
    )
    return Operation(
        tool=tool,
        method=method.upper(),
        path=path,
        in_path=tuple(each["name"] for each in places["path"]),
        in_query=tuple(each["name"] for each in places["query"]),
    )


def input_of(described: Schema, written: Schema, places: dict[str, Any]) -> Schema:
    """Path, query and body as one object, since a tool has one list of arguments."""
    body = written.get("requestBody", {}).get("content", {}).get("application/json", {})
    fields = resolved(described, body.get("schema", {}))
    properties, required = dict(fields.get("properties", {})), list(fields.get("required", []))
    for each in (*places["path"], *places["query"]):
        told = {"description": each["description"]} if "description" in each else {}
        properties[each["name"]] = each["schema"] | told
        if each.get("required"):
            required.append(each["name"])
    if any(each["name"] == "Idempotency-Key" for each in written.get("parameters", [])):
        properties[IDEMPOTENCY] = REPEATABLE
    return {"type": "object", "properties": properties, "required": required}


def output_of(written: Schema) -> Schema:
    """Of the answer where all went well."""
    for status, answer in written["responses"].items():
        if status.startswith("2") and "application/json" in answer.get("content", {}):
            schema: Schema = answer["content"]["application/json"]["schema"]
            return schema
    return {"type": "object"}


# OpenAPI's schemas as JSON Schema, each with all that it refers to


def resolved(described: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = described["components"]["schemas"][name_of(schema)]
    return found


def name_of(reference: Schema) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def closed(described: Schema, schema: Schema) -> Schema:
    """The same, beside the definitions that it needs, and theirs."""
    definitions: dict[str, Schema] = {}
    whole, missing = resolved(described, schema), [schema]
    while missing:
        for name in set(references(missing.pop())) - definitions.keys():
            definitions[name] = described["components"]["schemas"][name]
            missing.append(definitions[name])
    plain: Schema = as_json_schema(copy.deepcopy(whole))
    if definitions:
        plain["$defs"] = as_json_schema(copy.deepcopy(definitions))
    return plain


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield name_of(part)
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from references(each)


def as_json_schema(part: Any) -> Any:
    """OpenAPI 3.1 has JSON Schema's words and keeps its definitions elsewhere. An exact decimal is
    told as text and taken as a number as well.
    """
    if isinstance(part, list):
        return [as_json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {name: as_json_schema(each) for name, each in part.items()}
    if isinstance(part.get("$ref"), str):
        plain["$ref"] = f"#/$defs/{name_of(part)}"
    if part.get("format") == "decimal":
        plain["type"] = ["string", "number"]
    return plain
