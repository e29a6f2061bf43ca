"""Datasets, jobs with their checkpoints and curves, searches, models, and what is made of them."""

from training.models.datasets import Category, Dataset, DatasetQuerySet
from training.models.exports import Export
from training.models.jobs import Checkpoint, Event, Job, JobQuerySet, Point
from training.models.networks import Model, ModelQuerySet, Validation, ValidationQuerySet
from training.models.reproductions import Reproduction
from training.models.searches import Search, SearchQuerySet, Trial
from training.models.studies import PatternStudy
from training.models.work import Tier, Work

__all__ = [
    "Category",
    "Checkpoint",
    "Dataset",
    "DatasetQuerySet",
    "Event",
    "Export",
    "Job",
    "JobQuerySet",
    "Model",
    "ModelQuerySet",
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
