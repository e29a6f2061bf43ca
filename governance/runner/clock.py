"""Spans of time on the database's clock, the only one that all workers share."""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now


def _span(length: timedelta) -> models.Value:
    return models.Value(length, output_field=models.DurationField())


def ago(length: timedelta) -> models.Expression:
    return Now() - _span(length)


def ahead(length: timedelta) -> models.Expression:
    return Now() + _span(length)
