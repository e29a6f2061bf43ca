"""Rows of figures that stand side by side, one column a job."""

from collections.abc import Sequence

from django import template

from training.services.comparisons import Column, Row

register = template.Library()


@register.filter
def beside(row: Row, columns: Sequence[Column]) -> list[tuple[Column, str | float | None]]:
    """Each value with its column, which on a telephone is named at every value."""
    return list(zip(columns, row.values, strict=True))
