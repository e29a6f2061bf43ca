"""The Open Inference Protocol (KServe v2), so that its clients ask models here as they ask Triton.

A model's name is the id of a model of one's own, the id of a deployment, or the address of a
template that one has deployed; its versions are those of the template. Answers have the bits of
`predict` and of the browser's loader. Not in the API's description: the protocol has its own.
"""

import hashlib
import json
import uuid
from typing import Any

import numpy as np
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from billing import services as billing
from governance.api.keys import ApiKeyAuthentication
from governance.api.requests import caller, idempotency_key
from governance.models import Scope
from marketplace import services as marketplace
from marketplace.forms import tensors
from marketplace.forms.tensors import Question
from training import services as training

JSON_LENGTH = "Inference-Header-Content-Length"
PLATFORM = "wasm_simd128"
DATATYPES = {"f4": "FP32", "f8": "FP64", "u4": "UINT32", "text": tensors.TEXT}


@require_GET
def server(request: HttpRequest) -> JsonResponse:
    """What serves here, and what of the protocol beyond its core."""
    about = {"name": "neural-marketplace", "version": "1", "extensions": ["binary_tensor_data"]}
    return JsonResponse(about)


def served(request: Request, name: str, version: str) -> marketplace.Served:
    if version and not (version.isascii() and version.isdecimal() and len(version) < 10):
        raise marketplace.NotDeployed(f"{name} has no version {version!r}; they are numbers.")
    number = int(version) if version else None
    return marketplace.serve(user=caller(request), name=name, version=number)


@extend_schema(exclude=True)
class ModelMetadata(APIView):
    authentication_classes = [ApiKeyAuthentication]
    required_scope = {"GET": Scope.PREDICT}

    def get(self, request: Request, name: str, version: str = "") -> Response:
        """What a model takes and gives; -1 stands for any number of rows."""
        found = served(request, name, version)
        ports = training.ports(model=found.model)
        return Response(
            {
                "name": name,
                "versions": list(
                    map(str, marketplace.versions_served(user=caller(request), served=found))
                ),
                "platform": PLATFORM,
                "inputs": [port_body(port) for port in ports.takes],
                "outputs": [port_body(port) for port in ports.gives],
            }
        )


def port_body(port: training.Port) -> dict[str, Any]:
    return {"name": port.name, "datatype": DATATYPES[port.dtype], "shape": [-1, *port.shape]}


@extend_schema(exclude=True)
class ModelReady(APIView):
    authentication_classes = [ApiKeyAuthentication]
    required_scope = {"GET": Scope.PREDICT}

    def get(self, request: Request, name: str, version: str = "") -> Response:
        """200 when the model is loaded, which it then is."""
        training.ports(model=served(request, name, version).model)
        return Response({"name": name, "ready": True})


@extend_schema(exclude=True)
class Infer(APIView):
    authentication_classes = [ApiKeyAuthentication]
    required_scope = {"POST": Scope.PREDICT}

    def post(self, request: Request, name: str, version: str = "") -> HttpResponse:
        """Answer with the outputs of the network; each row is metered."""
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise exceptions.UnsupportedMediaType(
                "", detail="Content-Encoding: send the body as it is; it is not unpacked here."
            )
        body = request._request.body
        question = tensors.read(body, request.headers.get(JSON_LENGTH))
        found = served(request, name, version)
        answer = marketplace.infer(
            user=caller(request),
            served=found,
            asked=question.inputs,
            wanted=question.wanted,
            event_id=event_id(request, body),
        )
        return written(question, name, answer)


def event_id(request: Request, body: bytes) -> uuid.UUID:
    """A new one; under an Idempotency-Key the same for the same question, which is then charged
    once however often it is asked: its answer has the same bits every time.
    """
    key = idempotency_key(request)
    if not key:
        return uuid.uuid4()
    told = f"{request.path}\n{key}\n{hashlib.sha256(body).hexdigest()}"
    return uuid.uuid5(caller(request).pk, told)


def written(question: Question, name: str, answer: marketplace.Inference) -> HttpResponse:
    wanted = question.wanted or dict.fromkeys(answer.outputs, question.as_bytes)
    outputs: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for output, as_bytes in wanted.items():
        values = np.ascontiguousarray(answer.outputs[output], "<f4")
        told: dict[str, Any] = {
            "name": output,
            "datatype": DATATYPES["f4"],
            "shape": list(values.shape),
        }
        if as_bytes:
            parts.append(values.tobytes())
            outputs.append(told | {"parameters": {"binary_data_size": len(parts[-1])}})
        else:
            outputs.append(told | {"data": values.ravel().tolist()})
    head = {
        "model_name": name,
        "model_version": str(answer.version),
        **({"id": question.id} if question.id else {}),
        "parameters": {
            "prediction_id": str(answer.id),
            "credits": billing.credits(answer.microcredits),
        },
        "outputs": outputs,
    }
    text = json.dumps(head, separators=(",", ":")).encode()
    if not parts:
        return HttpResponse(text, content_type="application/json")
    response = HttpResponse(b"".join([text, *parts]), content_type="application/octet-stream")
    response[JSON_LENGTH] = str(len(text))
    return response
