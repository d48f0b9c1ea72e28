"""Lines that one of a few regular expressions takes apart, and lines that are taken as they are."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from vedette.formats.beginnings import Opening, all_of, any_of, opening
from vedette.formats.codecs.line import LineFormat
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FormatFile
from vedette.formats.expressions import captures, contains

_FITS = "__fits"


class PatternFormat(LineFormat):
    """Regular expressions, tried in order."""

    def __init__(self, definition: FormatFile) -> None:
        super().__init__(definition)
        self._patterns = [f"{pattern}(?P<{_FITS}>)" for pattern in definition.patterns]
        self._shape = definition.looks_like

    def _opens(self) -> Opening:
        return all_of(super()._opens(), any_of(opening(pattern) for pattern in self.definition.patterns))

    def matches(self, lines: pl.Series) -> pl.Series:
        """The last pattern is asked first: the most general one usually settles it."""
        left = self._candidates(lines)
        matching: list[pl.Series] = []
        for pattern in reversed(self._patterns):
            if left.is_empty():
                break
            fits = contains(left["line"], pattern)
            if fits.any():
                matching.append(left["row"].filter(fits))
                left = left.filter(~fits)
        return _mask(lines, matching)

    def take(self, lines: pl.Series, context: ParseContext) -> tuple[pl.Series, pl.DataFrame]:
        rows, parts = self._captured(self._candidates(lines))
        fits = _mask(lines, [rows])
        taken = lines if fits.all() else lines.filter(fits)
        return fits, self.columns_of(taken, parts, context) if taken.len() else taken.to_frame("message")

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        return self._captured(_numbered(lines))[1]

    def _candidates(self, lines: pl.Series) -> pl.DataFrame:
        """The lines that look like the format's, with their rows."""
        rows = _numbered(lines)
        looks = lines.is_not_null() if self._shape is None else contains(lines, self._shape)
        return rows if looks.all(ignore_nulls=False) else rows.filter(looks)

    def _captured(self, left: pl.DataFrame) -> tuple[pl.Series, pl.DataFrame]:
        """Which rows fit, and what the first pattern that fits captures of each, in their order."""
        parts: list[pl.DataFrame] = []
        for pattern in self._patterns:
            if left.is_empty():
                break
            captured = captures(left["line"], pattern)
            misfits = captured[_FITS].null_count()
            if misfits == captured.height:
                continue
            captured = captured.with_columns(left["row"])
            if not misfits:
                parts.append(captured)
                break
            fits = captured[_FITS].is_not_null()
            parts.append(captured.filter(fits))
            left = left.filter(~fits)
        if not parts:
            return pl.Series(dtype=pl.UInt32), pl.DataFrame()
        whole = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal").sort("row")
        rows, whole = whole["row"], whole.drop("row", _FITS)
        return rows, whole.with_columns(pl.all().str.strip_chars()) if self.definition.trim else whole


def _numbered(lines: pl.Series) -> pl.DataFrame:
    return pl.DataFrame({"line": lines, "row": pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})


def _mask(lines: pl.Series, rows: Sequence[pl.Series]) -> pl.Series:
    """True at these rows."""
    mask = pl.repeat(value=False, n=lines.len(), dtype=pl.Boolean, eager=True)
    some = [one for one in rows if one.len()]
    return mask.scatter(pl.concat(some), values=True) if some else mask


class PlainFormat(LineFormat):
    """Anything. Its lines are kept raw and count as unparsed."""

    def matches(self, lines: pl.Series) -> pl.Series:
        return pl.repeat(value=True, n=lines.len(), dtype=pl.Boolean, eager=True)

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        return lines.to_frame("message")

    def typed(self, parts: pl.DataFrame) -> pl.DataFrame:
        return parts

    def parse_matching(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        return super().parse_matching(lines, context).with_columns(pl.lit("unparsed").alias("parse.status"))
