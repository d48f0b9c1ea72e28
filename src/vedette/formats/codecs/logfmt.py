"""logfmt: `key=value` pairs, values quoted where they hold blanks."""

from __future__ import annotations

from typing import Final

import polars as pl

from vedette.formats.codecs.line import LineFormat
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FIELD_PREFIX

_KEY: Final = r"[A-Za-z_@][\w.@/:-]*"
_VALUE: Final = r'(?:"(?:[^"\\]|\\.)*"|[^\s"]*)'
_LINE: Final = rf"^\s*{_KEY}={_VALUE}(?: +{_KEY}(?:={_VALUE})?)+\s*$"
_TELLING: Final = r"(?:^|\s)(?:time|ts|t|timestamp|level|lvl|severity|msg|message|at)="
_PAIR: Final = rf"{_KEY}={_VALUE}"
_MOST_KEYS: Final = 256


class LogfmtFormat(LineFormat):
    """`keys` of the format file say which keys fill which column, the first present one counts."""

    def matches(self, lines: pl.Series) -> pl.Series:
        telling = lines.str.contains(_TELLING).fill_null(value=False)
        if not telling.any():
            return telling
        return (telling & lines.str.contains(_LINE)).fill_null(value=False)

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        values = _values_by_key(lines)
        columns: dict[str, pl.Series] = {}
        used: set[str] = set()
        for column, keys in self.definition.keys.items():
            present = [key for key in keys if key in values]
            if present:
                used.update(present)
                texts = [values[key].alias(str(index)) for index, key in enumerate(present)]
                columns[column] = pl.DataFrame(texts).select(pl.coalesce(pl.all()).alias(column)).to_series()
        columns.update({f"{FIELD_PREFIX}{key}": texts for key, texts in values.items() if key not in used})
        message = columns.get("message")
        columns["message"] = lines if message is None else message.zip_with(message.is_not_null(), lines)
        return pl.DataFrame(columns)


def _values_by_key(lines: pl.Series) -> dict[str, pl.Series]:
    """One column a key, null where a line lacks it; of a repeated key the first value."""
    row = pl.int_range(lines.len(), dtype=pl.UInt32, eager=True).alias("row")
    pairs = (
        pl.DataFrame([row, lines.str.extract_all(_PAIR).alias("pair")])
        .explode("pair")
        .drop_nulls()
        .with_columns(place=pl.col("pair").str.find("=", literal=True))
        .select("row", key=pl.col("pair").str.head("place"), text=pl.col("pair").str.slice(pl.col("place") + 1))
        .with_columns(
            pl.when(pl.col("text").str.starts_with('"')).then(_unquoted(pl.col("text"))).otherwise("text").alias("text")
        )
        .unique(("row", "key"), keep="first", maintain_order=True)
    )
    values: dict[str, pl.Series] = {}
    for (key,), some in pairs.group_by("key", maintain_order=True):
        if len(values) == _MOST_KEYS:
            break
        whole = row.to_frame().join(some.select("row", "text"), on="row", how="left", maintain_order="left")
        values[str(key)] = whole["text"]
    return values


def _unquoted(text: pl.Expr) -> pl.Expr:
    inner = text.str.slice(1).str.strip_suffix('"')
    return (
        inner.str.replace_all(r"\n", "\n", literal=True)
        .str.replace_all(r"\t", "\t", literal=True)
        .str.replace_all(r'\\(["\\])', "$1")
    )
