"""What a regular expression captures of every text, without compiling it again only to learn its captures' names."""

from __future__ import annotations

import functools
from typing import Final

import polars as pl

_TEXT: Final = "text"


def captures(texts: pl.Series, pattern: str) -> pl.DataFrame:
    """A column a capture, one row a text, same order; null where the pattern does not match."""
    return texts.alias(_TEXT).to_frame().select(_groups(pattern)).to_series().struct.unnest()


@functools.lru_cache(maxsize=8_192)
def _groups(pattern: str) -> pl.Expr:
    return pl.col(_TEXT).str.extract_groups(pattern)
