"""`key=value` with blanks, commas, semicolons or bars between the pairs: firewalls, audit records, appliances."""

from __future__ import annotations

from typing import Final

import polars as pl

from vedette.formats.codecs.keyed import Captures, KeyedFormat
from vedette.formats.codecs.pairs import pairs_in, unquoted
from vedette.formats.contract import ParseContext

_KEY: Final = r"[A-Za-z_@][0-9A-Za-z_.@/:-]*"
_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_PAIR: Final = rf"(?s){_KEY}=(?:{_QUOTED}|'[^']*'|\([^()\s]*\)|[^\s,|;\"'\x1d][^\s,|;\x1d]*|)"


class KeyValueFormat(KeyedFormat):
    """Without `patterns` the pairs of the whole line count, with them those of the capture `pairs`.

    A value that holds pairs itself and stands in single quotes (`msg='op=login res=failed'`) is opened.
    """

    def matches(self, lines: pl.Series) -> pl.Series:
        fits = super().matches(lines)
        if not self.definition.patterns or not fits.any():
            return fits
        has_parts = pl.any_horizontal(self._contains(pattern) for pattern in self.definition.patterns)
        return fits & lines.to_frame("line").select(has_parts.fill_null(value=False).alias("fits")).to_series()

    def read_pairs(self, lines: pl.Series, context: ParseContext) -> tuple[pl.DataFrame, Captures]:
        pairs, captures = self.read_marked_pairs(lines)
        return pairs.drop("is_quoted"), captures

    def read_marked_pairs(self, lines: pl.Series) -> tuple[pl.DataFrame, Captures]:
        """As `read_pairs`, with a column `is_quoted`: whether the value stood in double quotes."""
        captures = self.captures_of(lines)
        texts = captures.pop("pairs", lines)
        opened = texts.str.replace_all(rf"='({_KEY}=[^']*)'?", "= $1")
        text = pl.col("text")
        pairs = pairs_in(opened, _PAIR).with_columns(
            is_quoted=text.str.starts_with('"'),
            text=pl.when(text.str.starts_with('"'))
            .then(unquoted(text))
            .when(text.str.starts_with("'"))
            .then(text.str.slice(1).str.strip_suffix("'"))
            .otherwise(text),
        )
        return pairs, captures
