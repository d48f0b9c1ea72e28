"""What a format makes of lines, as people and samples write it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import polars as pl

from vedette.formats.codecs import LineFormat
from vedette.formats.contract import ParseContext
from vedette.model.rows import iso_utc


def columns_of(one: LineFormat, lines: pl.Series, reference_time: datetime) -> list[dict[str, Any] | None]:
    """The columns of each line by name, `fields` as `fields.<name>`, times as text; None where it does not fit."""
    fits = one.matches(lines)
    events = one.parse(lines, ParseContext(reference_time))
    return [told_by(row) if fit else None for row, fit in zip(events.iter_rows(named=True), fits, strict=True)]


def told_by(row: dict[str, Any]) -> dict[str, Any]:
    columns = {name: value for name, value in row.items() if value is not None and not name.startswith("__")}
    columns |= {f"fields.{name}": value for name, value in json.loads(columns.pop("fields", None) or "{}").items()}
    if isinstance(time := columns.get("@timestamp"), datetime):
        columns["@timestamp"] = iso_utc(time)
    if columns.get("parse.status") == "parsed":
        del columns["parse.status"]
    return columns
