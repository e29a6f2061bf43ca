"""A receipt: all that is needed to have a figure again, and to see that it is of this model.

One for the whole validation, since all its figures come from the same bytes; each names in
`figures` the module that measured it and what it drew at random.
"""

import platform
from importlib.metadata import version
from typing import Any

from kernels import build
from training.models import Validation
from training.runner import dossiers

PACKAGES = ("numpy", "scipy", "scikit-learn", "fairlearn", "wasmtime", "safetensors")


def receipt_of(
    validation: Validation, *, seed: int, figures: list[str], copies: dict[str, Any] | None
) -> dict[str, Any]:
    model, dataset = validation.model, validation.model.job.dataset
    return {
        "dataset": dataset.slug,
        "dataset_sha256": dataset.sha256,
        "split": dataset.split or {"kind": "stratified", "seed": dataset.split_seed},
        "part": "test",
        "copies": copies,  # test rows that trained, too
        "augmentation": model.job.config["training"].get("augmentation", {}),
        "seed": seed,
        "kernel_hash": build.module().kernel_hash,
        "trained_on_kernel": model.kernel_hash,
        "model_sha256": model.sha256,
        "weights_sha256": model.weights_sha256,
        "kind": validation.kind,
        "folds": validation.folds,
        "figures": figures,
        "command": dossiers.command_of(model),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
    }
