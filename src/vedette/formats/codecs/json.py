"""JSON lines: one object a line, whatever its keys.

Objects are decoded in columns with one schema for all lines. Where they do not agree on one (the same key holds text
here and an object there), or hold very many keys, the lines are decoded one by one.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import polars as pl
from polars.exceptions import PolarsError

from vedette.formats.beginnings import Opening, all_of, opening
from vedette.formats.codecs.line import LineFormat
from vedette.formats.contract import ParseContext

_OBJECT: Final = r'^\s*\{\s*(?:"|\})'
_HALF: Final = r"\\u[dD][89a-fA-F]"
_ESCAPES: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_MOST_KEYS: Final = 256
_MOST_KEYS_ONE_BY_ONE: Final = 2_048
_DEEPEST: Final = 8


class JsonFormat(LineFormat):
    """`keys` of the format file say which keys fill which column, the first present one counts; `a.0.b` is `b` of the
    first member of the list `a`.

    The whole object is kept in `fields`, under the names that its program and the rules written for it use;
    but of a record that only wraps another one, what `keys` name.
    """

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(_OBJECT))

    def matches(self, lines: pl.Series) -> pl.Series:
        looks = lines.str.contains(_OBJECT).fill_null(value=False)
        if self.definition.looks_like is not None and looks.any():
            looks &= lines.str.contains(self.definition.looks_like).fill_null(value=False)
        if not looks.any():
            return looks
        lines = whole_letters(lines)
        if looks.all():
            return lines.str.json_path_match("$").is_not_null()
        valid = lines.to_frame("line").select(pl.when(looks).then("line").str.json_path_match("$").is_not_null())
        return valid.to_series()

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        keys, lines = self.definition.keys, whole_letters(lines)
        leaves = _decoded(lines)
        parts = _chosen_one_by_one(lines, keys) if leaves is None else _chosen(leaves, keys)
        if "message" not in parts.columns:
            return pl.concat([parts, lines.to_frame("message")], how="horizontal")
        return parts.with_columns(pl.col("message").fill_null(lines))

    def parse_matching(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        columns = super().parse_matching(lines, context)
        if self.definition.inner == "any":
            return columns
        return columns.with_columns(whole_letters(lines).str.strip_chars().alias("fields"))


def whole_letters(lines: pl.Series) -> pl.Series:
    """Objects whose escapes all stand for letters. Half a letter (`\\ud83d` alone, of a text that was cut or of file names
    that are no Unicode) would make the whole line unreadable; U+FFFD takes its place."""
    has_halves = lines.str.contains(_HALF).fill_null(value=False)
    if not has_halves.any():
        return lines
    rows = has_halves.arg_true()
    return lines.scatter(rows, [_ESCAPES.sub(_whole, line) for line in lines.gather(rows)])


def _whole(found: re.Match[str]) -> str:
    return r"\ufffd" if found["half"] else found[0]


def _decoded(lines: pl.Series) -> dict[str, pl.Series] | None:
    """The values of all lines by their dotted key; None where the lines share no schema."""
    try:
        objects = lines.str.json_decode(infer_schema_length=None)
        leaves = list(itertools.islice(_leaves(objects, "", _DEEPEST), _MOST_KEYS + 1))
    except (PolarsError, ValueError):
        return None
    by_key = dict(leaves)  # fewer where one line has the key "a.b" and another a key "b" within "a"
    return by_key if len(by_key) == len(leaves) <= _MOST_KEYS else None


def texts_by_key(lines: pl.Series) -> dict[str, pl.Series]:
    """The scalar values of all lines as text by their dotted key, one row a line."""
    leaves = _decoded(lines)
    if leaves is not None:
        return {name: _as_text(values) for name, values in leaves.items() if _is_scalar(values)}
    objects = [dict(_flat(_object_in(line), "", _DEEPEST)) for line in lines]
    names = itertools.islice(dict.fromkeys(name for one in objects for name in one), _MOST_KEYS_ONE_BY_ONE)
    return {name: pl.Series(name, [_scalar_text(one.get(name)) for one in objects], dtype=pl.String) for name in names}


def _chosen(leaves: Mapping[str, pl.Series], keys: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Text by column."""
    scalars = {name for name, values in leaves.items() if _is_scalar(values)}
    columns: list[pl.Series] = []
    for column, names in keys.items():
        texts = [
            _joined_text([leaves[part] for part in name.split("+")]).alias(name)
            for name in names
            if all(part in scalars for part in name.split("+"))
        ]
        if texts:
            columns.append(pl.DataFrame(texts).select(pl.coalesce(pl.all()).alias(column)).to_series())
    return pl.DataFrame(columns)


def _chosen_one_by_one(lines: pl.Series, keys: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """The same line by line, for lines that share no schema: rare, and bounded by the batch."""
    columns: dict[str, list[str | None]] = {column: [] for column in keys}
    for line in lines:
        values = dict(_flat(_object_in(line), "", _DEEPEST))
        for column, names in keys.items():
            texts = (_joined_or_none([_scalar_text(values.get(part)) for part in name.split("+")]) for name in names)
            columns[column].append(next((text for text in texts if text is not None), None))
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


def _leaves(values: pl.Series, path: str, depth: int) -> Iterator[tuple[str, pl.Series]]:
    if isinstance(values.dtype, pl.Struct) and values.dtype.fields and depth:
        for field in values.dtype.fields:
            yield from _leaves(
                values.struct.field(field.name), f"{path}.{field.name}" if path else field.name, depth - 1
            )
    elif isinstance(values.dtype, pl.List) and path and depth:
        yield from _leaves(values.list.first(), f"{path}.0", depth - 1)
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
        elif isinstance(inner, list) and inner and depth > 1:
            yield from _flat({"0": inner[0]}, name, depth - 1)
        else:
            yield name, inner


def _is_scalar(values: pl.Series) -> bool:
    return not values.dtype.is_nested() and values.dtype != pl.Null


def _joined_or_none(texts: Sequence[str | None]) -> str | None:
    present = [text for text in texts if text is not None]
    return " ".join(present) if len(present) == len(texts) else None


def _scalar_text(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, (int, float)) else None


def _joined_text(values: Sequence[pl.Series]) -> pl.Series:
    if len(values) == 1:
        return _as_text(values[0])
    texts = [_as_text(one).alias(str(place)) for place, one in enumerate(values)]
    return pl.DataFrame(texts).select(pl.concat_str(pl.all(), separator=" ")).to_series()


def _as_text(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Boolean:
        return values.replace_strict({True: "true", False: "false"}, return_dtype=pl.String)
    text = values.cast(pl.String)
    return text.str.strip_suffix(".0") if values.dtype.is_float() else text
