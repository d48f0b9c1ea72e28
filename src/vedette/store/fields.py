"""The field behind a name that is not part of a query."""

from __future__ import annotations

from vedette.model.events import COLUMN_BY_NAME
from vedette.model.query.tree import Field, Kind, field_of


def field_named(name: str) -> Field:
    """A column by name or alias, else a key of the `fields` object."""
    column = COLUMN_BY_NAME.get(name)
    return field_of(column) if column else Field(name.removeprefix("fields.").replace('"', ""), Kind.JSON)
