"""Programs that ask a model, ready to run once a key is in the environment, each about a row that
the model takes as it stands.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from governance.models import User
from marketplace.models import Deployment
from training import services as training
from training.models import Model

KEY = "NEURAL_API_KEY"


@dataclass(frozen=True, kw_only=True)
class Snippet:
    label: str
    code: str


def snippets_of(
    *,
    model: Model,
    viewer: User | None,
    site: str,
    name: str = "",
    deployment: Deployment | None = None,
) -> list[Snippet]:
    """`site` is the address of this one, `name` what the Open Inference Protocol calls the model. A
    `deployment` is asked by itself, so that it chooses which of its versions answers.

    KServe's client sends tensors, so it is shown where a row is numbers alone.
    """
    question = training.example_question(model=model, viewer=viewer)
    path = reverse("marketplace:api_predict", args=[model.pk])
    if deployment is not None:
        name = str(deployment.pk)
        path = reverse("marketplace:api_predict_deployed", args=[deployment.pk])
    address = f"{site}{path}"
    found = [
        Snippet(label="curl", code=curl(address, question)),
        Snippet(label="Python", code=python(address, question)),
        Snippet(label="JavaScript", code=javascript(address, question)),
    ]
    numbers = numbers_in(question)
    if numbers:
        found.append(Snippet(label="KServe client", code=kserve(site, name, numbers)))
    return found


def numbers_in(question: Any) -> list[float]:
    """A row of numbers in the order of the network's input; nothing where it says anything else."""
    row = list(question.values()) if isinstance(question, Mapping) else question
    is_row = isinstance(row, list) and not (isinstance(question, Mapping) and "seed" in question)
    return row if is_row and all(type(one) in (int, float) for one in row) else []


def body_of(question: Any) -> str:
    return json.dumps({"input_data": question}, ensure_ascii=False)


def curl(address: str, question: Any) -> str:
    quoted = body_of(question).replace("'", "'\\''")  # as a shell takes it
    return (
        f"curl -X POST {address} \\\n"
        f'  -H "Authorization: Bearer ${KEY}" \\\n'
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{quoted}'"
    )


def python(address: str, question: Any) -> str:
    return f"""import json, os, urllib.request

row = {question!r}
asked = urllib.request.Request(
    "{address}",
    json.dumps({{"input_data": row}}).encode(),
    {{"Authorization": "Bearer " + os.environ["{KEY}"], "Content-Type": "application/json"}},
)
with urllib.request.urlopen(asked) as answer:
    print(json.load(answer)["predictions"][0])"""


def javascript(address: str, question: Any) -> str:
    return f"""const answer = await fetch("{address}", {{
  method: "POST",
  headers: {{
    "Authorization": `Bearer ${{process.env.{KEY}}}`,
    "Content-Type": "application/json",
  }},
  body: JSON.stringify({{ input_data: {json.dumps(question, ensure_ascii=False)} }}),
}});
console.log((await answer.json()).predictions[0]);"""


def kserve(site: str, name: str, numbers: list[float]) -> str:
    scheme, _, host = site.partition("://")
    ssl = ", ssl=True" if scheme == "https" else ""
    return f"""import os

import numpy as np
import tritonclient.http as kserve  # pip install "tritonclient[http]"

site = kserve.InferenceServerClient("{host}"{ssl})
key = {{"Authorization": "Bearer " + os.environ["{KEY}"]}}
about = site.get_model_metadata("{name}", headers=key)
given, wanted = about["inputs"][0], about["outputs"][0]
row = np.array({numbers!r}, np.float32).reshape(1, *given["shape"][1:])
sent = kserve.InferInput(given["name"], list(row.shape), given["datatype"])
sent.set_data_from_numpy(row)
print(site.infer("{name}", [sent], headers=key).as_numpy(wanted["name"]))"""
