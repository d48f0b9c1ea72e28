"""logfmt: `key=value` pairs, values quoted where they hold blanks."""

from __future__ import annotations

from typing import Final

import polars as pl

from vedette.formats.beginnings import Opening, all_of, opening
from vedette.formats.codecs.line import LineFormat
from vedette.formats.codecs.pairs import OBJECT, distinct, objects_of, pairs_in, unquoted
from vedette.formats.contract import ParseContext

_KEY: Final = r"[A-Za-z_@][\w.@/:-]*"
_VALUE: Final = r'(?:"(?:[^"\\]|\\.)*"|[^\s"]*)'
_LINE: Final = rf"^\s*{_KEY}={_VALUE}(?: +{_KEY}(?:={_VALUE})?)+\s*$"
_TELLING: Final = r"(?:^|\s)(?:time|ts|t|timestamp|level|lvl|severity|msg|message|at)="
_PAIR: Final = rf"{_KEY}={_VALUE}"


class LogfmtFormat(LineFormat):
    """`keys` of the format file say which keys fill which column, the first present one counts."""

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(_LINE))

    def matches(self, lines: pl.Series) -> pl.Series:
        telling = lines.str.contains(_TELLING).fill_null(value=False)
        if not telling.any():
            return telling
        if self.definition.looks_like is not None:
            telling &= lines.str.contains(self.definition.looks_like)
        return (telling & lines.str.contains(_LINE)).fill_null(value=False)

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        pairs = _pairs(lines)
        rows = pl.DataFrame({"row": pl.int_range(lines.len(), dtype=pl.UInt32, eager=True), "line": lines})
        columns_by_key = {key: column for column, keys in self.definition.keys.items() for key in keys}
        order = {key: place for keys in self.definition.keys.values() for place, key in enumerate(keys)}
        known = pairs.filter(pl.col("key").is_in(list(order))).with_columns(
            column=pl.col("key").replace_strict(columns_by_key, return_dtype=pl.String),
            place=pl.col("key").replace_strict(order, return_dtype=pl.UInt8),
        )
        chosen = known.sort("row", "place").unique(("row", "column"), keep="first", maintain_order=True)
        for column in chosen["column"].unique().sort():
            texts = chosen.filter(pl.col("column") == column).select("row", pl.col("text").alias(column))
            rows = rows.join(texts, on="row", how="left", maintain_order="left")
        others = pairs.join(chosen, on=("row", "key"), how="anti", maintain_order="left")
        rows = rows.with_columns(objects_of(others, lines.len()))
        message = pl.col("message").fill_null(pl.col("line")) if "message" in rows.columns else pl.col("line")
        return rows.with_columns(message.alias("message")).drop("row", "line")

    def typed(self, parts: pl.DataFrame) -> pl.DataFrame:
        return super().typed(parts.drop(OBJECT)).with_columns(parts[OBJECT].alias("fields"))


def _pairs(lines: pl.Series) -> pl.DataFrame:
    """Columns `row`, `key`, `text` of all pairs in order; of a key repeated in a line the first, none without a value."""
    text = pl.col("text")
    pairs = pairs_in(lines, _PAIR)
    return distinct(pairs.with_columns(text=pl.when(text.str.starts_with('"')).then(unquoted(text)).otherwise(text)))
