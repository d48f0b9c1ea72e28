"""Lines that one of a few regular expressions takes apart, and lines that are taken as they are."""

from __future__ import annotations

import polars as pl

from vedette.formats.beginnings import beginnings
from vedette.formats.codecs.line import LineFormat
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FormatFile

_FITS = "__fits"


class PatternFormat(LineFormat):
    """Regular expressions, tried in order."""

    def __init__(self, definition: FormatFile) -> None:
        super().__init__(definition)
        self._patterns = [f"{pattern}(?P<{_FITS}>)" for pattern in definition.patterns]
        self._shape = definition.looks_like

    def _begins(self) -> frozenset[str]:
        by_pattern = frozenset[str]().union(*(beginnings(pattern) for pattern in self.definition.patterns))
        return super()._begins() & by_pattern

    def matches(self, lines: pl.Series) -> pl.Series:
        """The last pattern is asked first: the most general one usually settles it."""
        fits = None if self._shape is None else lines.str.contains(self._shape).fill_null(value=False)
        if fits is not None and not fits.any():
            return fits
        matching = pl.repeat(value=False, n=lines.len(), dtype=pl.Boolean, eager=True)
        for pattern in reversed(self._patterns):
            matching = matching | lines.str.contains(pattern).fill_null(value=False)
            if matching.all():
                break
        return matching if fits is None else matching & fits

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        left = pl.DataFrame({"line": lines, "row": pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})
        parts: list[pl.DataFrame] = []
        for pattern in self._patterns:
            captures = left["line"].str.extract_groups(pattern).struct.unnest()
            fits = captures[_FITS].is_not_null()
            captures = captures.drop(_FITS).with_columns(left["row"])
            if fits.all():
                parts.append(captures)
                break
            if fits.any():
                parts.append(captures.filter(fits))
                left = left.filter(~fits)
        whole = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal").sort("row")
        whole = whole.drop("row")
        return whole.with_columns(pl.all().str.strip_chars()) if self.definition.trim else whole


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
