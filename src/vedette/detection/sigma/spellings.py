"""Keys of flat events that stand for a field under another name: in other case, or behind the prefix of a shipper."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Final

import polars as pl

from vedette.detection.sigma.fields import other_names

_KEY: Final = r'[{,]"(?:[^"\\]|\\.)*":"'
"""Up to the value. A quote behind a comma is never part of a text, where it would stand behind a backslash."""


class Spellings:
    """The keys of many flat objects, looked at as far as somebody asks. Most events write every key as rules do; that is
    found out without taking them apart."""

    def __init__(self, fields: pl.Series) -> None:
        self._fields = fields

    def may_have(self, name: str, rows: pl.Series) -> bool:
        """Whether one of the objects at `rows` may hold the field under another name."""
        ending = f'{json.dumps(name, ensure_ascii=False)[1:-1].lower()}":'
        small = self._small.filter(rows)
        small = small.filter(small.str.contains(ending, literal=True))
        return any(small.str.contains(before + ending, literal=True).any() for before in ('"', "."))

    def others(self, name: str) -> list[str]:
        """The other names of the field among the keys, in the order of looking."""
        return other_names(name, self._keys)

    @cached_property
    def _small(self) -> pl.Series:
        return self._fields.str.to_lowercase()

    @cached_property
    def _keys(self) -> list[str]:
        beginnings = self._fields.str.extract_all(_KEY).explode().drop_nulls().unique()
        return sorted(beginnings.str.slice(1).str.head(-2).str.json_decode(pl.String))
