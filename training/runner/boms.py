"""The bill of materials of a model in CycloneDX 1.6: what it was made of, each with its hash.

cyclonedx-python-lib writes the components; it knows no model card yet, so that part is added to
its JSON as the specification has it.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from cyclonedx.model import AttachedText, HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.output.json import JsonV1Dot6

from training.models import Card, Category, Licence
from training.runner.dossiers import Dossier

LEARNING = {
    Category.ANOMALY: "unsupervised",
    Category.GENERATIVE: "unsupervised",
    Category.REINFORCEMENT: "reinforcement-learning",
}


def write(dossier: Dossier) -> str:
    model = dossier.model
    made = component(
        ComponentType.MACHINE_LEARNING_MODEL,
        f"model/{model.pk}",
        model.name,
        sha256=model.sha256,
        version=str(model.version),
        licence=licence_of(dossier.card),
        properties={
            "weights_sha256": model.weights_sha256,
            "kernel_hash": model.kernel_hash,
            "seed": str(dossier.job.seed),
            "split": dossier.split,
            "parameters": str(model.parameters),
            "command": dossier.command,
        },
    )
    sources = list(ingredients(dossier))
    produced = [
        component(
            ComponentType.FILE,
            f"file/{file.kind}",
            f"{model.pk}.{file.kind}",
            sha256=file.sha256,
            properties={"scan": file.scan_state},
        )
        for file in dossier.files
        if file.export is not None and file.is_ready
    ]
    bom = Bom(
        components=[*sources, *produced],
        serial_number=uuid.uuid5(model.pk, str(dossier.measured and dossier.measured.pk)),
        metadata=BomMetaData(component=made, timestamp=model.created_at),
    )
    bom.register_dependency(made, sources)
    for file in produced:
        bom.register_dependency(file, [made])
    found = json.loads(JsonV1Dot6(bom).output_as_string())
    found["metadata"]["component"]["modelCard"] = model_card(dossier)
    for one in found["components"]:
        if one["type"] == "data":
            one["data"] = [data(dossier)]
    return json.dumps(found, indent=2)


def ingredients(dossier: Dossier) -> Iterable[Component]:
    """What went into the model: the rows, the kernel, and the model whose weights it began from."""
    dataset, parent = dossier.dataset, dossier.job.parent
    yield component(
        ComponentType.DATA,
        f"dataset/{dataset.pk}",
        dataset.name,
        sha256=dataset.sha256,
        version=str(dataset.version),
        licence=DisjunctiveLicense(name=dataset.licence) if dataset.licence else None,
    )
    yield component(
        ComponentType.LIBRARY, "kernel", "kernel module", sha256=dossier.model.kernel_hash
    )
    if parent is not None:
        yield component(
            ComponentType.MACHINE_LEARNING_MODEL,
            f"model/{parent.pk}",
            parent.name,
            sha256=parent.sha256,
            version=str(parent.version),
        )
    start = dossier.job.start_job
    if start is not None:
        yield component(
            ComponentType.MACHINE_LEARNING_MODEL,
            f"checkpoint/{start.pk}/{dossier.job.start_step}",
            f"{start.name}, step {dossier.job.start_step}",
            sha256=dossier.job.start_sha256,
        )


def component(
    kind: ComponentType,
    reference: str,
    name: str,
    *,
    sha256: str,
    version: str | None = None,
    licence: DisjunctiveLicense | None = None,
    properties: Mapping[str, str] | None = None,
) -> Component:
    return Component(
        type=kind,
        bom_ref=reference,
        name=name,
        version=version,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
        licenses=[licence] if licence else (),
        properties=[
            Property(name=f"neural-marketplace:{key}", value=value)
            for key, value in (properties or {}).items()
        ],
    )


def licence_of(said: Card) -> DisjunctiveLicense | None:
    """What its owner chose: a licence that SPDX lists, or own terms."""
    if not said.licence:
        return None
    if said.licence == Licence.OTHER:
        return DisjunctiveLicense(
            name="the owner's own terms", text=AttachedText(content=said.licence_terms)
        )
    return DisjunctiveLicense(id=said.licence)


def data(dossier: Dossier) -> dict[str, Any]:
    dataset = dossier.dataset
    said = dataset.description or dataset.name
    return {
        "type": "dataset",
        "name": dataset.name,
        "description": f"{said} Split {dossier.split}.",
    }


def model_card(dossier: Dossier) -> dict[str, Any]:
    described = dossier.description
    return {
        "modelParameters": {
            "approach": {"type": LEARNING.get(Category(dossier.job.category), "supervised")},
            "task": dossier.task,
            "architectureFamily": dossier.architecture,
            "modelArchitecture": f"{dossier.architecture}, {dossier.model.parameters:,} parameters",
            "datasets": [{"ref": f"dataset/{dossier.dataset.pk}"}],
            "inputs": [{"format": f"{described.shapes[0]} numbers"}],
            "outputs": [{"format": f"{described.shapes[1]} numbers"}],
        },
        "quantitativeAnalysis": {
            "performanceMetrics": [metric(name, each) for name, each in dossier.figures.items()]
        },
        "considerations": considerations(dossier),
    }


def considerations(dossier: Dossier) -> dict[str, Any]:
    """The author's words, where there are any, before what follows from the measurements."""
    said = dossier.card
    found: dict[str, Any] = {
        "useCases": [said.intended_use, f"rows like those of {dossier.dataset.name}"],
        "technicalLimitations": [
            said.limits,
            "measured on the test rows of one dataset; other data were not measured",
            *(f"its figures say too much: {why}" for why in dossier.leaks),
            *(f"{name} has no value: {why}" for name, why in dossier.undefined.items()),
            dossier.uncertified and f"it has no certificate: {dossier.uncertified}",
        ],
    }
    found = {name: [text for text in texts if text] for name, texts in found.items()}
    if said.ethics:
        found["ethicalConsiderations"] = [{"name": said.ethics}]
    return found


def metric(name: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": name, "value": repr(figure["value"]), "slice": "test rows"}
    if figure.get("low") is not None:
        found["confidenceInterval"] = {
            "lowerBound": repr(figure["low"]),
            "upperBound": repr(figure["high"]),
        }
    return found
