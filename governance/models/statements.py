"""Rows that are read by statements written once.

What Django makes of a queryset takes a processor a millisecond or two each time, several times what
the database and the row take. What every call of a program has to ask is therefore read by these.
"""

import uuid
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db import connection, models


@dataclass(frozen=True)
class Statement:
    """SQL, whose `{0}`, `{1}`, … stand for the columns of these models, selected in this
    order and first. Of each its table has the alias `t0`, `t1`, ….
    """

    text: str
    models: tuple[type[models.Model], ...]

    @cached_property
    def names(self) -> list[list[str]]:
        """Of the fields of each model. Such whose values Django converts cannot be read so."""
        for field in (field for model in self.models for field in model._meta.concrete_fields):
            assert not hasattr(field, "from_db_value"), f"{field} needs its value converted"
        return [[field.attname for field in model._meta.concrete_fields] for model in self.models]

    @cached_property
    def sql(self) -> str:
        columns = (
            ", ".join(f't{place}."{field.column}"' for field in model._meta.concrete_fields)
            for place, model in enumerate(self.models)
        )
        return self.text.format(*columns)

    def first(self, *params: uuid.UUID | str | int) -> tuple[Any, ...] | None:
        """The models of the first row, and whatever else the statement selects of it."""
        all_names = self.names
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            row = cursor.fetchone()
        if row is None:
            return None
        found: list[Any] = []
        start = 0
        for model, names in zip(self.models, all_names, strict=True):
            end = start + len(names)
            found.append(model.from_db(connection.alias, names, row[start:end]))
            start = end
        return (*found, *row[start:])
