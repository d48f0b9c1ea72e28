"""Keys with their texts, several a record, and what becomes of them: columns by the format's `keys`, and an object."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

OBJECT: Final = "__object"
"""The column that holds all pairs of a row as a JSON object."""

_SCHEMA: Final = pl.Schema({"row": pl.UInt32, "key": pl.String, "text": pl.String})


def pairs_in(texts: pl.Series, pair: str) -> pl.DataFrame:
    """All `key=value` that the expression `pair` finds: columns `row`, `key`, `text` (as written), in order."""
    whole, row = pl.col("pair"), pl.int_range(texts.len(), dtype=pl.UInt32, eager=True)
    return (
        pl.DataFrame([row.alias("row"), texts.str.extract_all(pair).alias("pair")])
        .explode("pair")
        .drop_nulls()
        .with_columns(place=whole.str.find("=", literal=True))
        .select("row", key=whole.str.head("place"), text=whole.str.slice(pl.col("place") + 1))
    )


def pairs_of_columns(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """The same for texts that already stand in a column each."""
    parts = [
        pl.DataFrame({"text": texts})
        .with_row_index("row")
        .select("row", pl.lit(name).alias("key"), "text")
        .drop_nulls()
        .cast(_SCHEMA)
        for name, texts in columns.items()
    ]
    return pl.concat(parts).sort("row", maintain_order=True) if parts else pl.DataFrame(schema=_SCHEMA)


def distinct(pairs: pl.DataFrame) -> pl.DataFrame:
    """Of a key repeated in a row the first; none without a text."""
    return pairs.filter(pl.col("text") != "").unique(("row", "key"), keep="first", maintain_order=True)


def columns_of(pairs: pl.DataFrame, keys: Mapping[str, Sequence[str]], height: int) -> pl.DataFrame:
    """Text by column, `height` rows: of several keys for a column the first present one; `a+b` are two as one."""
    named = {name for names in keys.values() for key in names for name in key.split("+")}
    known = pairs.filter(pl.col("key").is_in(list(named)))
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    if known.is_empty():
        return rows.clear().drop("row") if not height else pl.DataFrame()
    wide = rows.join(known.pivot("key", index="row", values="text"), on="row", how="left", maintain_order="left")
    columns = {column: _first_present(names, wide.columns) for column, names in keys.items()}
    return wide.select(text.alias(column) for column, text in columns.items() if text is not None)


def _first_present(names: Sequence[str], present: Sequence[str]) -> pl.Expr | None:
    texts = [
        pl.concat_str(name.split("+"), separator=" ")
        for name in names
        if all(key in present for key in name.split("+"))
    ]
    return pl.coalesce(texts) if texts else None


def objects_of(pairs: pl.DataFrame, height: int) -> pl.Series:
    """The pairs of each row as a JSON object in their order, null where a row has none; `height` rows."""
    text = pl.struct(v=pl.col("text")).struct.json_encode().str.slice(5).str.strip_suffix("}")
    names = {key: json.dumps(key, ensure_ascii=False) for key in pairs["key"].unique().drop_nulls()}
    name = pl.col("key").replace_strict(names, return_dtype=pl.String) if names else pl.col("key")
    members = pairs.select("row", member=pl.concat_str(name, pl.lit(":"), text))
    joined = members.group_by("row", maintain_order=True).agg(pl.col("member").str.join(","))
    objects = joined.select("row", pl.format("{}{}{}", pl.lit("{"), "member", pl.lit("}")).alias(OBJECT))
    rows = pl.DataFrame({"row": pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return rows.join(objects, on="row", how="left", maintain_order="left")[OBJECT]


def unquoted(text: pl.Expr, quote: str = '"') -> pl.Expr:
    """Without the quotes around it, and with what is escaped in between as what it stands for."""
    inner = text.str.slice(1).str.strip_suffix(quote)
    plain = (
        inner.str.replace_all(r"\n", "\n", literal=True)
        .str.replace_all(r"\t", "\t", literal=True)
        .str.replace_all(r'\\(["\'\\])', "$1")
    )
    return pl.when(inner.str.contains("\\", literal=True)).then(plain).otherwise(inner)
