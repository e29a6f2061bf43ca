"""The card of a model: a head in YAML for machines, as Hugging Face reads it, and a body in
Markdown for people.

Every figure is from a validation of ours. On rows that no training read it is marked verified; on
others it is not, and both parts say why. What nobody measured is said not to have been. The
author's own words are quoted as such.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from training.models import Category, Licence
from training.runner import copies
from training.runner.dossiers import Dossier

NAMES_SHOWN = 12
VALUES_SHOWN = 8
SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~])")
LANGUAGE_UNKNOWN = "und"  # ISO 639: nobody said which


def card(dossier: Dossier) -> str:
    head = yaml.safe_dump(metadata(dossier), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{head}---\n\n" + "\n".join(body(dossier)).strip() + "\n"


# --------------------------------------------------------------------------------------- machines


def metadata(dossier: Dossier) -> dict[str, Any]:
    model, job = dossier.model, dossier.job
    head: dict[str, Any] = {
        **licence(dossier),
        "library_name": "neural-marketplace",
        "pipeline_tag": dossier.task,
        "tags": [str(job.category), dossier.architecture, "wasm", "bit-reproducible"],
        "datasets": [dossier.dataset.slug],
    }
    if job.category == Category.NLP:
        head["language"] = [LANGUAGE_UNKNOWN]
    if job.parent is not None:
        head["base_model"] = [str(job.parent.pk)]
        head["base_model_relation"] = "finetune"
    if dossier.figures:
        head["model-index"] = [{"name": model.name, "results": [result(dossier)]}]
    return head


def licence(dossier: Dossier) -> dict[str, str]:
    """Hugging Face writes SPDX's names in small letters."""
    said = dossier.card
    if not said.licence:
        return {"license": "other", "license_name": "not-chosen"}
    if said.licence == Licence.OTHER:
        return {"license": "other", "license_name": "own-terms", "license_link": dossier.address}
    return {"license": said.licence.lower()}


def result(dossier: Dossier) -> dict[str, Any]:
    measured = dossier.measured
    assert measured is not None
    return {
        "task": {"type": dossier.task},
        "dataset": {
            "name": dossier.dataset.name,
            "type": dossier.dataset.slug,
            "split": "test",
            "revision": dossier.dataset.sha256,
        },
        "metrics": [
            {"type": name, "value": figure["value"], "verified": not dossier.leaks}
            | interval(figure)
            for name, figure in dossier.figures.items()
        ],
        "source": {"name": f"validation {measured.pk}", "url": dossier.address},
    }


def interval(figure: Mapping[str, Any]) -> dict[str, Any]:
    if figure.get("low") is None:
        return {}
    return {"args": {"interval_95": [figure["low"], figure["high"]]}}


# ----------------------------------------------------------------------------------------- people


def body(dossier: Dossier) -> Iterator[str]:
    model = dossier.model
    yield f"# {plain(model.name)}"
    yield ""
    yield (
        f"A {dossier.architecture.replace('_', ' ')} of {model.parameters:,} parameters for "
        f"{dossier.job.get_category_display().lower()}, version {model.version}. Everything below "
        "was measured or recorded by the platform; only what is quoted is the author's word."
    )
    for title, section in SECTIONS.items():
        yield f"\n## {title}\n"
        yield from section(dossier)


def quoted(text: str) -> Iterator[str]:
    """The author's words, line by line."""
    for line in text.splitlines():
        yield f"> {plain(line)}".rstrip()
    yield ""


def terms(dossier: Dossier) -> Iterator[str]:
    said = dossier.card
    if not said.licence:
        yield "None was chosen yet: nobody but the owner may use it."
    elif said.licence == Licence.OTHER:
        yield "The owner's own terms:"
        yield ""
        yield from quoted(said.licence_terms)
    else:
        yield f"{said.get_licence_display()} (SPDX: {said.licence})"


def ethics(dossier: Dossier) -> Iterator[str]:
    if not dossier.card.ethics:
        yield "The author says nothing of whom its answers could harm."
        return
    yield from quoted(dossier.card.ethics)


def intended_use(dossier: Dossier) -> Iterator[str]:
    yield from quoted(dossier.card.intended_use)
    yield (
        f"To answer rows like those of “{plain(dossier.dataset.name)}”. Nothing else was measured, "
        "so for other data its figures say nothing."
    )
    yield ""
    yield "What goes in:"
    yield ""
    inputs = dossier.description.inputs
    for field in inputs[:NAMES_SHOWN]:
        yield f"- {plain(field.name)}: {field.kind}{listed(field.values)}"
    if len(inputs) > NAMES_SHOWN:
        yield f"- and {len(inputs) - NAMES_SHOWN:,} more like these"
    yield ""
    yield "What comes out:"
    yield ""
    for field in dossier.description.outputs[:NAMES_SHOWN]:
        yield f"- {plain(field.name)}: {field.kind}{listed(field.values)}"


def listed(values: Any) -> str:
    if not values:
        return ""
    more = f" and {len(values) - VALUES_SHOWN:,} more" if len(values) > VALUES_SHOWN else ""
    return f" ({', '.join(plain(value) for value in values[:VALUES_SHOWN])}{more})"


def limits(dossier: Dossier) -> Iterator[str]:
    yield from quoted(dossier.card.limits)
    measured = dossier.measured
    if measured is None:
        yield "- It was not measured yet: nothing is known of how good it is."
        return
    yield (
        f"- Its quality was measured on {measured.rows or 0:,} rows of one dataset; the intervals "
        "below are as wide as so few rows make them."
    )
    if measured.report.get("copies", {}).get("seen"):
        found = measured.report["copies"]
        yield (
            f"- Of its {found['rows']:,} test rows {found['seen']:,} have the same numbers as "
            "rows that trained it: on these it may remember rather than tell."
        )
    if shown := measured.report.get("ancestors"):
        yield f"- {plain(copies.acquaintance(shown))}"
    classes = measured.report.get("per_class", [])
    if classes:
        worst = min(classes, key=lambda one: one["recall"])
        yield (
            f"- It finds “{plain(worst['name'])}” worst: {worst['recall'] * 100:.1f} % of its "
            f"{worst['rows']:,} rows."
        )
    if not measured.report.get("robustness", {}).get("curves"):
        yield "- What it does to disturbed rows was not assessed."
    yield from treatment(measured.report.get("fairness", {}))
    yield "- It answers numbers far from any that it has seen as readily as others."


def treatment(found: Mapping[str, Any]) -> Iterator[str]:
    """How groups of people were told to be treated, or that nobody can tell."""
    state = found.get("state", "not assessed")
    if state in ("not assessed", "not tested"):
        yield f"- Whether it treats groups of people alike was {state}."
    for column in found.get("columns", ()):
        for flag in column["flags"]:
            yield f"- Groups by {plain(column['column'])} differ. {plain(flag)}"


def training_data(dossier: Dossier) -> Iterator[str]:
    dataset = dossier.dataset
    yield f"- Dataset: {plain(dataset.name)}, version {dataset.version}, {dataset.rows:,} rows"
    if dataset.source:
        yield f"- Source: {plain(dataset.source)}"
    yield f"- Licence of the data: {plain(dataset.licence) or 'not stated'}"
    yield f"- Split: {dossier.split}"
    if dossier.augmentation:
        yield (
            f"- Augmentation: each training picture anew in every epoch, {dossier.augmentation}; "
            "those that validate and test as they are"
        )
    yield f"- SHA-256 of the rows: `{dataset.sha256}`"


def evaluation(dossier: Dossier) -> Iterator[str]:
    if dossier.measured is None:
        yield "Not measured yet."
        return
    if dossier.leaks:
        yield f"These figures say too much: {plain('; '.join(dossier.leaks))}."
    else:
        yield "On the test rows, which no training read:"
    yield ""
    yield "| figure | value | 95 % interval | without a network |"
    yield "| --- | ---: | ---: | ---: |"
    for name, figure in dossier.figures.items():
        low, baseline = figure.get("low"), figure.get("baseline")
        between = "" if low is None else f"{low:.4g} to {figure['high']:.4g}"
        simple = "" if baseline is None else f"{baseline:.4g}"
        yield f"| {name.replace('_', ' ')} | {figure['value']:.4g} | {between} | {simple} |"
    for missing, why in unmeasured(dossier):
        yield ""
        yield f"There is no {missing}: {plain(why)}."
    if dossier.latencies:
        yield ""
        told = ", ".join(f"{name} {value:.3g} ms" for name, value in dossier.latencies.items())
        where = dossier.measured.report.get("environment", {})
        yield f"One row takes: {told} ({plain(where.get('processor', 'one thread'))})."
        if where.get("is_loaded"):
            yield (
                f"The machine was busy meanwhile (a load of {where['load']:.3g} on "
                f"{where['processors']} processors), so these are too high."
            )


def unmeasured(dossier: Dossier) -> Iterator[tuple[str, str]]:
    """What has no figure, no interval or no certificate, and why."""
    alike = {n: each["no_interval"] for n, each in dossier.figures.items() if "no_interval" in each}
    if alike:
        names = ", ".join(name.replace("_", " ") for name in alike)
        yield f"interval of {names}", next(iter(alike.values()))
    for name, why in dossier.undefined.items():
        yield name.replace("_", " "), why
    if dossier.uncertified:
        yield "certificate", dossier.uncertified


def reproduction(dossier: Dossier) -> Iterator[str]:
    model, job = dossier.model, dossier.job
    yield "The same rows, configuration, seed and kernel give the same weights to the last bit:"
    yield ""
    yield f"    {dossier.command}"
    yield ""
    yield f"- Seed: {job.seed}"
    yield f"- Kernel: `{model.kernel_hash}`"
    yield f"- Weights: `{model.weights_sha256}`"
    times, same = (
        len(dossier.reproductions),
        sum(bool(r.is_identical) for r in dossier.reproductions),
    )
    yield f"- Made again {times} times, {same} identical" if times else "- Not made again yet"
    yield ""
    yield "```json"
    yield json.dumps(job.config, indent=2)
    yield "```"


def contents(dossier: Dossier) -> Iterator[str]:
    yield "| file | bytes | SHA-256 | scan |"
    yield "| --- | ---: | --- | --- |"
    for file in dossier.files:
        if file.is_ready:
            yield f"| {file.label} | {file.size_bytes:,} | `{file.sha256}` | {file.scan_state} |"


SECTIONS = {
    "Licence": terms,
    "Intended use": intended_use,
    "Limits": limits,
    "Ethical considerations": ethics,
    "Training data": training_data,
    "Evaluation": evaluation,
    "How to reproduce": reproduction,
    "Files": contents,
}


def plain(text: str) -> str:
    """What somebody wrote, so that Markdown reads it as nothing but letters, in one line."""
    return SPECIAL.sub(r"\\\1", " ".join(str(text).split()))
