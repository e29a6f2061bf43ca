"""The publish gate: what a model must have shown before anybody is asked to pay for it."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.urls import reverse

from training.models import Card, Export, Model, Validation, Work
from training.runner.copies import is_leak, leaks
from training.services.documents import TEXTS


@dataclass(frozen=True)
class Fault:
    """What failed, and how to mend it; both are sentences for the model's owner."""

    what: str
    remedy: str
    url: str = ""  # of the page where it is mended
    field: str = ""  # of its card, where that is what is missing

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


NAMES = {"intended_use": "intended use", "limits": "limits", "ethics": "ethical considerations"}
Row = TypeVar("Row", Validation, Export)
AGAIN = "Have the model validated again, with everything (“comprehensive”)."


def publication_faults(*, model: Model) -> list[Fault]:
    """Nothing where the model may be published."""
    return faults_by_model(models=[model])[model.pk]


def faults_by_model(*, models: Sequence[Model]) -> dict[uuid.UUID, list[Fault]]:
    """The same of many, in as many queries as of one."""
    cards = {card.model_id: card for card in Card.objects.filter(model__in=models)}
    whole = Validation.objects.filter(model__in=models, kind=Validation.Kind.COMPREHENSIVE)
    made = Export.objects.filter(model__in=models, status=Work.Status.DONE)
    validations, exports = grouped(whole), grouped(made)
    return {
        model.pk: measurement_faults(model, validations[model.pk], exports[model.pk])
        + card_faults(model, cards.get(model.pk) or Card(model_id=model.pk))
        for model in models
    }


def grouped(rows: Iterable[Row]) -> dict[uuid.UUID, list[Row]]:
    found: dict[uuid.UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[row.model_id].append(row)
    return found


def card_faults(model: Model, card: Card) -> list[Fault]:
    """What a buyer would miss in its card."""
    url = reverse("training:document_model", args=[model.pk])
    found = []
    if not card.licence:
        remedy = "Choose one in its card; without one nobody may use what they buy."
        found.append(Fault("It has no licence.", remedy, f"{url}#id_licence", "licence"))
    for name, words in TEXTS.items():
        if not getattr(card, name):
            what = f"Its card has no {NAMES[name]}."
            found.append(Fault(what, f"Say {words}.", f"{url}#id_{name}", name))
    return found


def measurement_faults(
    model: Model, validations: Sequence[Validation], exports: Sequence[Export]
) -> list[Fault]:
    """`validations` are its full ones in any state, the newest first."""
    measure = f"{model.get_absolute_url()}#measure"
    done = [one for one in validations if one.is_whole]
    found = measured_faults(model, done[0], exports) if done else [unmeasured(model, validations)]
    return [replace(fault, url=measure) for fault in found]


def measured_faults(model: Model, validation: Validation, exports: Sequence[Export]) -> list[Fault]:
    found = undefined_faults(validation) + leak_faults(validation)
    if not found and (validation.expires_at is None or validation.has_expired):
        found.append(Fault("Its validation is more than 30 days old.", AGAIN))
    if validation.receipt.get("weights_sha256") != model.weights_sha256:
        found.append(Fault("Its validation does not name just these weights.", AGAIN))
    return found + scan_faults(validation, exports) + baseline_faults(validation)


def undefined_faults(validation: Validation) -> list[Fault]:
    """Without a first figure, or what it is held against, there is no certificate, and nothing that
    a buyer could go by.
    """
    if why := validation.report.get("uncertified"):
        remedy = "Look for columns of extraordinary numbers, and train it on data without them."
        return [Fault(f"It has no certificate, because {why}.", remedy)]
    name = validation.report.get("primary", "")
    why = validation.report.get("undefined", {}).get(name)
    if why is None:
        return []
    return [
        Fault(
            f"It has no certificate, because {name} has no value: {why}.",
            "Train it on data that change from one season to the next.",
        )
    ]


def unmeasured(model: Model, validations: Sequence[Validation]) -> Fault:
    newest = validations[0] if validations else None
    if newest is not None and not newest.is_over:
        remedy = "A worker is at it; come back when it is done."
    elif newest is not None and newest.status == Work.Status.FAILED:
        remedy = f"The last one failed: {newest.error_message} Mend that, then validate it again."
    else:
        remedy = "Validate it with everything (“comprehensive”), then publish."
    return Fault(f"The model “{model.name}” has no finished validation yet.", remedy)


def scan_faults(validation: Validation, exports: Sequence[Export]) -> list[Fault]:
    """Of the model's file, and of each that was made of it: all of them may be downloaded."""
    scan = validation.report.get("scan")
    if scan is None:
        return [Fault("Its file was not looked through.", AGAIN)]
    scans = {"its file": scan} | {f"its {e.get_kind_display()} file": e.scan for e in exports}
    return [unclean(file, found) for file, found in scans.items() if found.get("state") != "clean"]


def unclean(file: str, scan: Mapping[str, Any]) -> Fault:
    reasons = "; ".join(finding["message"] for finding in scan.get("findings", []))
    return Fault(
        f"The scan of {file} is not clean: {reasons or scan.get('state', 'it was not scanned')}.",
        "Train the model again; a file with such findings is not passed on.",
    )


def leak_faults(validation: Validation) -> list[Fault]:
    """Rows that it or an ancestor learned from test nothing."""
    remedy = "Train it from the beginning, or on rows that none of these was shown."
    if is_leak(validation.report.get("copies")):
        remedy = (
            "Remove the copies from the data, or split them by a group that keeps copies together; "
            "then train it again."
        )
    return [
        Fault(f"{why}, so its figures say too much.", remedy) for why in leaks(validation.report)
    ]


def baseline_faults(validation: Validation) -> list[Fault]:
    name = validation.report.get("primary", "")
    figure = validation.metrics.get(name)
    if name in validation.report.get("undefined", {}):
        return []  # there is nothing to compare, as is said already
    if figure is None:
        return [Fault("Its validation has no first figure.", AGAIN)]
    base, value = figure.get("baseline"), figure["value"]
    if base is None:
        return []
    is_better = value < base if figure.get("lower_is_better") else value > base
    if is_better:
        return []
    return [
        Fault(
            f"It is not better than its baseline: {name.replace('_', ' ')} is {value:.4g}, and "
            f"{base:.4g} for “{figure.get('baseline_name', 'the baseline')}”.",
            "Train it longer, on more rows or with another network.",
        )
    ]
