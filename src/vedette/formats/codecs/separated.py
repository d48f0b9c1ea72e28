"""Values by their place: CSV, and the formats whose header lines name the columns (W3C extended, Zeek)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from vedette.formats.codecs.keyed import Captures, KeyedFormat
from vedette.formats.codecs.pairs import pairs_of_columns
from vedette.formats.contract import ParseContext

_QUOTED_VALUE: Final = r'(?s)(?:^|,)(?:"(?:[^"]|"")*"|[^,]*)'
_MOST_COLUMNS: Final = 512
_IGNORED: Final = "_"
_UNSET: Final = ("-", "(empty)")
_STEM: Final = "cs-uri-stem"
_QUERY: Final = "cs-uri-query"

HEADER: Final = r"^#(?:Fields:|fields[^0-9A-Za-z])"
"""Lines that name the columns of those after them."""


class CsvFormat(KeyedFormat):
    """`columns` names the values in their order; `_` is none. What stands beyond the last name is not read.

    `patterns`, where they fit, tell more of the line.
    """

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        values = _comma_separated(lines)
        return pairs_of_columns(_named(values, self.definition.columns)), self.captures_of(lines)


class W3cFormat(KeyedFormat):
    """Header lines begin with `#`; those that fit `HEADER` name the columns of the lines after them.

    Where no header is known, `columns` of the format file name them.
    """

    has_headers = True

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        separator, names = _header(context.header, self.definition.columns)
        line = pl.col("line")
        values = lines.to_frame("line").select(
            pl.when(~line.str.starts_with("#")).then(line.str.strip_chars_end("\r").str.split(separator))
        )
        named = _named(values.to_series(), names)
        pairs = pairs_of_columns(named).filter(~pl.col("text").is_in(_UNSET))
        return pairs, _urls(named) if _STEM in named and _QUERY in named else {}

    def fits_header(self, lines: pl.Series, header: str) -> pl.Series:
        separator, names = _header(header, ())
        line = pl.col("line")
        has_columns = line.str.strip_chars_end("\r").str.count_matches(separator, literal=True) == len(names) - 1
        return (
            lines.to_frame("line").select(~line.str.starts_with("#") & has_columns & pl.lit(len(names) > 1)).to_series()
        )

    def parse_matching(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        columns = super().parse_matching(lines, context)
        is_header = lines.str.starts_with("#")
        if not is_header.any():
            return columns
        told = [name for name in ("event.category", "event.action") if name in columns.columns]
        return columns.with_columns(pl.when(~is_header).then(name).alias(name) for name in told)


def _header(line: str | None, names: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The separator and the names of the columns."""
    if line is None:
        return ("\t" if "uid" in names else " "), names
    if line.startswith("#fields"):
        separator = line[len("#fields")]
        return separator, line.rstrip("\r").split(separator)[1 : _MOST_COLUMNS + 1]
    listed = line.partition(":")[2].strip()
    separator = "\t" if "\t" in listed else " "
    return separator, [name for name in listed.split(separator) if name][:_MOST_COLUMNS]


def _urls(named: dict[str, pl.Series]) -> Captures:
    """The path with its query, where there is one."""
    stem, query = pl.col(_STEM), pl.col(_QUERY)
    whole = (
        pl.when(query.is_in(_UNSET) | query.is_null()).then(stem).otherwise(pl.concat_str(stem, query, separator="?"))
    )
    return {
        "url.original": pl.DataFrame([named[_STEM].alias(_STEM), named[_QUERY].alias(_QUERY)]).select(whole).to_series()
    }


def _comma_separated(lines: pl.Series) -> pl.Series:
    """Lists of texts; quotes are needed around a comma only, and doubled inside."""
    has_quotes = lines.str.contains('"', literal=True)
    if not has_quotes.any():
        return lines.str.split(",")
    frame = lines.to_frame("line").with_columns(has_quotes.alias("has_quotes"))
    value = pl.element().str.strip_prefix(",")
    bare = value.str.strip_prefix('"').str.strip_suffix('"').str.replace_all('""', '"', literal=True)
    quoted = (
        pl.col("line")
        .str.extract_all(_QUOTED_VALUE)
        .list.eval(pl.when(value.str.starts_with('"')).then(bare).otherwise(value))
    )
    return frame.select(pl.when("has_quotes").then(quoted).otherwise(pl.col("line").str.split(","))).to_series()


def _named(values: pl.Series, names: Sequence[str]) -> dict[str, pl.Series]:
    frame = values.to_frame("values")
    wanted = [(place, name) for place, name in enumerate(names) if name != _IGNORED]
    texts = frame.select(pl.col("values").list.get(place, null_on_oob=True).alias(str(place)) for place, _ in wanted)
    return {name: texts[str(place)] for place, name in wanted}
