"""JSON lines: one object a line, whatever its keys.

Objects are decoded in columns with one schema for all lines. Where they do not agree on one (the same key holds text
here and an object there), or hold very many keys, the lines are decoded one by one.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from vedette.formats.codecs.line import LineFormat
from vedette.formats.columns import fields_object, typed_columns
from vedette.formats.contract import ParseContext

_OBJECT: Final = r'^\s*\{\s*(?:"|\})'
_MOST_KEYS: Final = 256
_DEEPEST: Final = 8


class JsonFormat(LineFormat):
    """`keys` of the format file say which keys fill which column, the first present one counts."""

    def matches(self, lines: pl.Series) -> pl.Series:
        looks = lines.str.contains(_OBJECT).fill_null(value=False)
        if not looks.any():
            return looks
        if looks.all():
            return lines.str.json_path_match("$").is_not_null()
        valid = lines.to_frame("line").select(pl.when(looks).then("line").str.json_path_match("$").is_not_null())
        return valid.to_series()

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        leaves = _decoded(lines)
        parts = (
            _chosen_one_by_one(lines, self.definition.keys) if leaves is None else _chosen(leaves, self.definition.keys)
        )
        if "message" not in parts.columns:
            return pl.concat([parts, lines.to_frame("message")], how="horizontal")
        return parts.with_columns(pl.col("message").fill_null(lines))

    def typed(self, parts: pl.DataFrame) -> pl.DataFrame:
        rest = parts["__rest"] if "__rest" in parts.columns else None
        known = parts.drop("__rest") if rest is not None else parts
        columns = typed_columns(known, absent=self.definition.absent, levels=self.definition.levels)
        return columns if rest is None else columns.with_columns(rest.alias("fields"))


def _decoded(lines: pl.Series) -> dict[str, pl.Series] | None:
    """The values of all lines by their dotted key; None where the lines share no schema."""
    try:
        objects = lines.str.json_decode(infer_schema_length=None)
        leaves = dict(itertools.islice(_leaves(objects, "", _DEEPEST), _MOST_KEYS + 1))
    except (PolarsError, ValueError):
        return None
    return leaves if len(leaves) <= _MOST_KEYS else None


def _chosen(leaves: Mapping[str, pl.Series], keys: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Text by column, and `__rest`: the other values as an object."""
    columns: list[pl.Series] = []
    rest = {key: values for key, values in leaves.items() if values.dtype != pl.Null}
    for column, names in keys.items():
        present = [name for name in names if name in rest and not rest[name].dtype.is_nested()]
        if not present:
            continue
        chosen = _as_text(rest.pop(present[0]))
        for name in present[1:]:
            other = rest.pop(name)
            surplus = other.to_frame("v").select(pl.when(chosen.is_not_null()).then("v")).to_series()
            if surplus.null_count() < surplus.len():
                rest[name] = surplus
            chosen = chosen.zip_with(chosen.is_not_null(), _as_text(other))
        columns.append(chosen.alias(column))
    if rest:
        columns.append(fields_object(rest).alias("__rest"))
    return pl.DataFrame(columns)


def _chosen_one_by_one(lines: pl.Series, keys: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """The same line by line, for lines that share no schema: rare, and bounded by the batch."""
    columns: dict[str, list[str | None]] = {column: [] for column in (*keys, "__rest")}
    for line in lines:
        rest = dict(_flat(_object_in(line), "", _DEEPEST))
        for column, names in keys.items():
            name = next(
                (one for one in names if rest.get(one) is not None and not isinstance(rest[one], (dict, list))), None
            )
            value = rest.pop(name) if name is not None else None
            columns[column].append(value if value is None or isinstance(value, str) else json.dumps(value))
        columns["__rest"].append(json.dumps(rest, ensure_ascii=False, separators=(",", ":")) if rest else None)
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _leaves(values: pl.Series, path: str, depth: int) -> Iterator[tuple[str, pl.Series]]:
    if isinstance(values.dtype, pl.Struct) and values.dtype.fields and depth:
        for field in values.dtype.fields:
            yield from _leaves(
                values.struct.field(field.name), f"{path}.{field.name}" if path else field.name, depth - 1
            )
    elif path:
        yield path, values


def _object_in(line: str) -> Mapping[str, Any]:
    try:
        content = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _flat(value: Mapping[str, Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        name = f"{path}.{key}" if path else key
        if isinstance(inner, dict) and inner and depth > 1:
            yield from _flat(inner, name, depth - 1)
        else:
            yield name, inner


def _as_text(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return (
            values.to_frame("v")
            .select(pl.when("v").then(pl.lit("true")).when(~pl.col("v")).then(pl.lit("false")))
            .to_series()
        )
    return values.cast(pl.String)
