"""What formats have in common whose records name their values."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Final

import polars as pl

from vedette.formats.codecs import pairs as keyed
from vedette.formats.codecs.line import LineFormat
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FIELD_PREFIX
from vedette.formats.expressions import captures

Captures = Mapping[str, pl.Series]

_LINE: Final = "__line"


class KeyedFormat(LineFormat):
    """`keys` of the format file say which keys fill which column.

    All of them are kept in `fields`, under the names that the program and the rules written for it use.
    """

    def matches(self, lines: pl.Series) -> pl.Series:
        looks = pl.lit(value=True) if self.definition.looks_like is None else self._contains(self.definition.looks_like)
        return lines.to_frame("line").select(looks.fill_null(value=False).alias("fits")).to_series()

    @abstractmethod
    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        """The pairs of all lines (columns `row`, `key`, `text`), and texts by capture, one a line."""

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        pairs, captured = self.read_pairs(lines, context)
        fields = {name.removeprefix(FIELD_PREFIX): texts for name, texts in captured.items() if _is_field(name)}
        if fields:
            pairs = pl.concat([keyed.pairs_of_columns(fields), pairs]).sort("row", maintain_order=True)
        pairs = keyed.distinct(pairs)
        parts = lines.to_frame(_LINE).with_columns(
            texts.alias(name) for name, texts in captured.items() if not _is_field(name)
        )
        present = pairs.filter(~pl.col("text").is_in(self.definition.absent))
        chosen = keyed.columns_of(present, self.definition.keys, lines.len())
        parts = parts.with_columns(
            (pl.coalesce(name, chosen[name]) if name in parts.columns else chosen[name]).alias(name)
            for name in chosen.columns
        )
        message = pl.coalesce("message", _LINE) if "message" in parts.columns else pl.col(_LINE)
        objects = keyed.objects_of(pairs, lines.len())
        return parts.with_columns(message.alias("message"), objects.alias(keyed.OBJECT)).drop(_LINE)

    def typed(self, parts: pl.DataFrame) -> pl.DataFrame:
        return super().typed(parts.drop(keyed.OBJECT)).with_columns(parts[keyed.OBJECT].alias("fields"))

    def captures_of(self, lines: pl.Series) -> dict[str, pl.Series]:
        """What `patterns` capture, of each line by the first that fits."""
        parts = [captures(lines, pattern) for pattern in self.definition.patterns]
        names = dict.fromkeys(name for part in parts for name in part.columns)
        return {
            name: pl.DataFrame(
                [part[name].alias(str(place)) for place, part in enumerate(parts) if name in part.columns]
            )
            .select(pl.coalesce(pl.all()).alias(name))
            .to_series()
            for name in names
        }

    @staticmethod
    def _contains(pattern: str) -> pl.Expr:
        return pl.col("line").str.contains(pattern)


def _is_field(capture: str) -> bool:
    return capture.startswith(FIELD_PREFIX)
