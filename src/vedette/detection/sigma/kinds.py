"""Kinds of events: what decides which rules are about them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

import polars as pl

from vedette.detection.sigma.fields import FLAT_FORMATS
from vedette.detection.sigma.logsources import KIND_COLUMNS, KIND_KEYS, logsource_map

KINDS: Final = (*KIND_COLUMNS, *KIND_KEYS)
_KEYED: Final = "|".join(map(re.escape, FLAT_FORMATS))
_LONGEST: Final = 128


def is_flat(kind: Mapping[str, str | None]) -> bool:
    """Whether `fields` of such events is a flat object of texts."""
    return (kind["log.format"] or "").rpartition("/")[2] in FLAT_FORMATS


def kind_frame(events: pl.DataFrame, programs: Collection[str] = ()) -> pl.DataFrame:
    """The columns KINDS in small letters, each combination once, and `row`: the list of its rows.

    `programs` are names to tell apart beside those that logsources are known by.
    """
    is_keyed = events["log.format"].str.contains(_KEYED)
    kinds = events.select(
        pl.col("log.format").str.to_lowercase(),
        pl.col("event.category").str.to_lowercase(),
        _kept(pl.col("event.action"), _actions()),
        _kept(pl.col("process.name").str.replace(r"^.*[/\\]", ""), _programs(programs)),
        *([_key(name) for name in KIND_KEYS] if is_keyed.any() else []),
    )
    if not is_keyed.any():
        kinds = kinds.with_columns(pl.lit(None, dtype=pl.String).alias(name) for name in KIND_KEYS)
    return kinds.with_row_index("row").group_by(KINDS, maintain_order=True).agg("row")


def _key(name: str) -> pl.Expr:
    fields = pl.when(pl.col("log.format").str.contains(_KEYED)).then("fields")
    value = fields.str.extract(rf'"{name}":"([^"]*)"', 1).str.head(_LONGEST)
    return value.str.replace_all(r"\\/", "/").str.to_lowercase().alias(name)


def _kept(column: pl.Expr, pattern: str) -> pl.Expr:
    """Values that a test asks for; the others are no kind of their own."""
    lower = column.str.to_lowercase()
    return pl.when(lower.str.contains(pattern)).then(lower)


def _programs(others: Collection[str]) -> str:
    names = "|".join(re.escape(one) for one in sorted(others))
    known = logsource_map().pattern("process.name")
    return f"{known}|^(?:{names})$" if names else known


def _actions() -> str:
    return logsource_map().pattern("event.action")
