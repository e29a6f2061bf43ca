"""What people may ask of training. One noun per file; this list is the app's specification."""

from training.services.datasets import NotReady, add_bundled_dataset, preview_rows
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
    "Prediction",
    "Quote",
    "TierTooSmall",
    "add_bundled_dataset",
    "cancel_job",
    "predict",
    "preview_rows",
    "quote_job",
    "submit_job",
    "validate_model",
]
