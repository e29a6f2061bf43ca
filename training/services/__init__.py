"""What people may ask of training. One noun per file; this list is the app's specification."""

from training.runner.rows import Part
from training.services.datasets import (
    NotReady,
    PreviewRow,
    add_bundled_dataset,
    highest_value,
    preview_rows,
    row_values,
)
from training.services.jobs import (
    InvalidConfig,
    Quote,
    TierTooSmall,
    cancel_job,
    quote_job,
    submit_job,
)
from training.services.predictions import InvalidRows, Prediction, predict
from training.services.validations import NotOwner, validate_model

__all__ = [
    "InvalidConfig",
    "InvalidRows",
    "NotOwner",
    "NotReady",
    "Part",
    "Prediction",
    "PreviewRow",
    "Quote",
    "TierTooSmall",
    "add_bundled_dataset",
    "cancel_job",
    "highest_value",
    "predict",
    "preview_rows",
    "quote_job",
    "row_values",
    "submit_job",
    "validate_model",
]
