"""Kinds of events: what decides which rules are about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from vedette.detection.sigma.fields import FLAT_FORMATS
from vedette.detection.sigma.logsources import KIND_COLUMNS, KIND_KEYS, logsource_map

KINDS: Final = (*KIND_COLUMNS, *KIND_KEYS)
_KIND_KEY_FORMATS: Final = {
    "Channel": "windows-event", "EventID": "windows-event", "Provider_Name": "windows-event", "type": "auditd"
}  # fmt: skip
_LONGEST: Final = 128


def is_flat(kind: Mapping[str, str | None]) -> bool:
    """Whether `fields` of such events is a flat object of texts."""
    return (kind["log.format"] or "").rpartition("/")[2] in FLAT_FORMATS


def kind_frame(events: pl.DataFrame, programs: Collection[str] = (), actions: Collection[str] = ()) -> pl.DataFrame:
    """The columns KINDS in small letters, each combination once, and `row`: the list of its rows.

    `programs` and `actions` are values to tell apart beside those that logsources are known by.
    """
    formats = events["log.format"]
    keys = [key for key in KIND_KEYS if formats.str.contains(_KIND_KEY_FORMATS[key], literal=True).any()]
    written = events.select(*KIND_COLUMNS, *(_key(key) for key in keys))
    groups = written.with_row_index("row").group_by(written.columns, maintain_order=True).agg("row")
    kinds = groups.select(
        pl.col("log.format").str.to_lowercase(),
        pl.col("event.category").str.to_lowercase(),
        _kept(pl.col("event.action"), _pattern("event.action", actions)),
        pl.col("event.outcome").str.to_lowercase(),
        _kept(pl.col("process.name").str.replace(r"^.*[/\\]", ""), _pattern("process.name", programs)),
        *(_read(key) if key in keys else pl.lit(None, dtype=pl.String).alias(key) for key in KIND_KEYS),
        "row",
    )
    if kinds.select(KINDS).is_duplicated().any():
        return kinds.explode("row").group_by(KINDS, maintain_order=True).agg(pl.col("row").sort())
    return kinds


def _key(name: str) -> pl.Expr:
    """As it is written, where it is."""
    fields = pl.when(pl.col("log.format").str.contains(_KIND_KEY_FORMATS[name], literal=True)).then("fields")
    return fields.str.extract(rf'"{name}":"([^"]*)"', 1).alias(name)


def _read(name: str) -> pl.Expr:
    """Null where it has escapes, or is too long to be a kind."""
    value = pl.col(name)
    is_plain = ~value.str.contains("\\", literal=True) & (value.str.len_bytes() <= _LONGEST)
    return pl.when(is_plain).then(value.str.to_lowercase()).alias(name)


def _kept(column: pl.Expr, pattern: str) -> pl.Expr:
    """Values that a test asks for; the others are no kind of their own."""
    lower = column.str.to_lowercase()
    return pl.when(lower.str.contains(pattern)).then(lower)


def _pattern(column: str, others: Collection[str]) -> str:
    names = "|".join(re.escape(one) for one in sorted(others))
    known = logsource_map().pattern(column)
    return f"{known}|^(?:{names})$" if names else known
