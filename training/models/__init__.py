"""Datasets, jobs with their checkpoints and curves, searches, models, and what is made of them."""

from training.models.cards import Card, CardQuerySet, Licence
from training.models.datasets import (
    DESCRIPTION_LENGTH_MAX,
    FILE_NAME_LENGTH_MAX,
    Category,
    Dataset,
    DatasetQuerySet,
)
from training.models.exports import Export
from training.models.jobs import Checkpoint, Event, Job, JobQuerySet, Point
from training.models.networks import Model, ModelQuerySet, Validation, ValidationQuerySet
from training.models.reproductions import Reproduction
from training.models.searches import Search, SearchQuerySet, Trial
from training.models.studies import PatternStudy
from training.models.work import NAME_LENGTH_MAX, Tier, Work

__all__ = [
    "DESCRIPTION_LENGTH_MAX",
    "FILE_NAME_LENGTH_MAX",
    "Card",
    "CardQuerySet",
    "Category",
    "Checkpoint",
    "Dataset",
    "DatasetQuerySet",
    "Event",
    "Export",
    "Job",
    "JobQuerySet",
    "Licence",
    "Model",
    "ModelQuerySet",
    "NAME_LENGTH_MAX",
    "PatternStudy",
    "Point",
    "Reproduction",
    "Search",
    "SearchQuerySet",
    "Tier",
    "Trial",
    "Validation",
    "ValidationQuerySet",
    "Work",
]
