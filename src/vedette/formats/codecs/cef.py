"""CEF (ArcSight Common Event Format) and LEEF (QRadar Log Event Extended Format), 1.0 and 2.0."""

from __future__ import annotations

from typing import Final

import polars as pl

from vedette.formats.beginnings import Opening, all_of, opening
from vedette.formats.codecs.keyed import Captures, KeyedFormat
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FIELD_PREFIX
from vedette.formats.expressions import captures

_PART: Final = r"(?:[^|\\]|\\.)*"
_CEF: Final = (
    rf"(?s)^\s*(?:<[0-9]{{1,3}}>)?CEF: ?[0-9]+\|(?P<DeviceVendor>{_PART})\|(?P<DeviceProduct>{_PART})\|(?P<DeviceVersion>{_PART})"
    rf"\|(?P<SignatureID>{_PART})\|(?P<Name>{_PART})\|(?P<Severity>{_PART})\|(?P<pairs>.*)$"
)
_LEEF: Final = (
    rf"(?s)^\s*(?:<[0-9]{{1,3}}>)?LEEF: ?(?P<version>[0-9.]+)\|(?P<DeviceVendor>{_PART})\|(?P<DeviceProduct>{_PART})"
    rf"\|(?P<DeviceVersion>{_PART})\|(?P<EventID>{_PART})\|(?P<pairs>.*)$"
)
_DELIMITER: Final = r"(?s)^(x[0-9A-Fa-f]{2,4}|0x[0-9A-Fa-f]{2,4}|\\t|[^0-9A-Za-z\s=|])?\|"
_RECORD: Final = "\x1e"
_CEF_KEY: Final = r"(?:^|\s)([0-9A-Za-z_.\[\]-]+)="
_SEVERITIES: Final = {"low": "3", "medium": "5", "high": "7", "very-high": "9", "very high": "9"}


class CefFormat(KeyedFormat):
    """`CEF:0|vendor|product|version|signature|name|severity|key=value …`; values hold blanks, and end before a key."""

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(_CEF))

    def matches(self, lines: pl.Series) -> pl.Series:
        return _is_shaped(lines, "CEF:", _CEF) & super().matches(lines)

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        parts = captures(lines, _CEF)
        texts = parts["pairs"].str.replace_all(_RECORD, " ", literal=True).str.replace_all(_CEF_KEY, f"{_RECORD}$1=")
        pairs = _split_pairs(texts, _RECORD)
        text = pl.col("text").str.strip_chars_end()
        escapes = text.str.replace_all(r"\\([=|\\])", "$1").str.replace_all(r"\\[nr]", "\n")
        pairs = pairs.with_columns(text=pl.when(text.str.contains("\\", literal=True)).then(escapes).otherwise(text))
        header = _unescaped(parts.drop("pairs"))
        severity = header["Severity"].str.to_lowercase().str.strip_chars().replace(_SEVERITIES)
        return pairs, {**_fields(header), "event.severity": severity, "message": header["Name"]}


class LeefFormat(KeyedFormat):
    """`LEEF:1.0|vendor|product|version|event|key=value…` with tabs between pairs; in 2.0 the sixth part names the
    separator.
    """

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(_LEEF))

    def matches(self, lines: pl.Series) -> pl.Series:
        return _is_shaped(lines, "LEEF:", _LEEF) & super().matches(lines)

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        parts = captures(lines, _LEEF)
        has_delimiter = pl.col("version").str.starts_with("2") & pl.col("pairs").str.contains(_DELIMITER)
        bodies = parts.select(
            delimiter=pl.when(has_delimiter).then(pl.col("pairs").str.extract(_DELIMITER, 1)).fill_null("\\t"),
            body=pl.when(has_delimiter).then(pl.col("pairs").str.replace(_DELIMITER, "")).otherwise("pairs"),
        )
        header = _unescaped(parts.drop("pairs", "version"))
        return _split_pairs(_with_one_separator(bodies), _RECORD), _fields(header)


def _is_shaped(lines: pl.Series, word: str, pattern: str) -> pl.Series:
    holds = lines.str.head(20).str.contains(word, literal=True).fill_null(value=False)
    return holds & lines.str.contains(pattern).fill_null(value=False) if holds.any() else holds


def _split_pairs(texts: pl.Series, separator: str) -> pl.DataFrame:
    """Columns `row`, `key`, `text`."""
    row = pl.int_range(texts.len(), dtype=pl.UInt32, eager=True).alias("row")
    whole = pl.col("pair")
    return (
        pl.DataFrame([row, texts.str.split(separator).alias("pair")])
        .explode("pair")
        .with_columns(place=whole.str.find("=", literal=True))
        .drop_nulls()
        .select(
            "row",
            key=whole.str.head("place").str.strip_chars(),
            text=whole.str.slice(pl.col("place") + 1).str.strip_chars(),
        )
    )


def _with_one_separator(bodies: pl.DataFrame) -> pl.Series:
    """Whatever stands between the pairs of a row, as one character; separators are few."""
    body = pl.col("body").str.replace_all(_RECORD, " ", literal=True)
    spaced = pl.when(body.str.contains("\t", literal=True)).then(body.str.replace_all("\t", _RECORD, literal=True))
    separated = spaced.otherwise(body.str.replace_all(_CEF_KEY, f"{_RECORD}$1="))
    for written in bodies["delimiter"].unique().sort():
        if written != "\\t":
            replaced = body.str.replace_all(_character(written), _RECORD, literal=True)
            separated = pl.when(pl.col("delimiter") == written).then(replaced).otherwise(separated)
    return bodies.select(separated.alias("body")).to_series()


def _character(written: str) -> str:
    if len(written) == 1:
        return written
    return chr(min(int(written.removeprefix("0").removeprefix("x"), 16), 0xD7FF)) or "\t"


def _unescaped(header: pl.DataFrame) -> pl.DataFrame:
    return header.with_columns(pl.all().str.replace_all(r"\\([|\\])", "$1"))


def _fields(header: pl.DataFrame) -> Captures:
    return {f"{FIELD_PREFIX}{name}": header[name] for name in header.columns}
