"""Colours that programs write for terminals: they stand between the parts of a line and tell nothing."""

from __future__ import annotations

from typing import Final

import polars as pl

_ESCAPE: Final = "\x1b["
_ESCAPED: Final = "#033["
"""What rsyslog makes of an escape character."""

_COLOUR: Final = r"(?:\x1b|#033)\[[0-9;:]{0,20}[mK]"


def without_colours(lines: pl.Series) -> pl.Series:
    """The same lines without the sequences of ECMA-48 that set colours or erase to the end of the line."""
    holds = lines.str.contains_any([_ESCAPE, _ESCAPED])
    if not holds.any():
        return lines
    text = pl.col(lines.name)
    return lines.to_frame().select(pl.when(holds).then(text.str.replace_all(_COLOUR, "")).otherwise(text)).to_series()
