"""The most common stamps have their parts at fixed places: cut there, which is quicker than to capture."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

import polars as pl

_CLOCK: Final = r"[0-9]{2}:[0-9]{2}:[0-9]{2}"
_PLACES: Final = MappingProxyType(
    {
        "syslog": (
            rf"^[A-Z][a-z]{{2}} [ 0-9][0-9] {_CLOCK}$",
            {"mon": (0, 3), "day": (4, 2), "hour": (7, 2), "minute": (10, 2), "second": (13, 2)},
        ),
        "iso": (
            rf"^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}[T ]{_CLOCK}(?:Z|[+-][0-9]{{2}}:[0-9]{{2}})?$",
            {"year": (0, 4), "month": (5, 2), "day": (8, 2), "hour": (11, 2), "minute": (14, 2), "second": (17, 2)}
            | {"zone": (19, 6)},
        ),
    }
)
"""By layout: what stamps with fixed places look like, and first letter and length of their parts."""

_FRACTION: Final = re.compile(r"(?::[0-9]{2}|^[0-9]{10})[.,]([0-9]{1,9})(?![0-9])")


def cut(layout: str, stamps: pl.Series) -> pl.DataFrame | None:
    """The captures of the layout, where all stamps have them at the same places."""
    if layout not in _PLACES:
        return None
    looks_like, places = _PLACES[layout]
    if not stamps.str.contains(looks_like).all():
        return None
    stamp = pl.col("stamp")
    parts = stamps.to_frame("stamp").select(stamp.str.slice(*place).alias(name) for name, place in places.items())
    return parts.with_columns(
        pl.col("day").str.strip_chars_start(" "),
        *([pl.when(pl.col("zone") != "").then("zone")] if "zone" in places else []),
    )


def cut_fraction(stamps: pl.Series) -> tuple[pl.Series, pl.Series] | None:
    """The stamps without their fraction, and its digits, where all have as many at the same place."""
    first = stamps.drop_nulls().head(1)
    found = _FRACTION.search(first.item()) if first.len() else None
    if found is None or not found.string.isascii():
        return None
    start, end = found.span(1)
    stamp = pl.col("stamp")
    behind = stamp.str.slice(end)
    parts = stamps.to_frame("stamp").select(
        coarse=stamp.str.head(start - 1) + behind,
        digits=stamp.str.slice(start, end - start),
        is_alike=(stamp.str.len_bytes() == len(found.string))
        & (stamp.str.slice(start - 1, 1) == found.string[start - 1])
        & (behind.str.head(1) == found.string[end : end + 1]),
    )
    if not parts["is_alike"].all() or parts["digits"].str.contains("[^0-9]").any():
        return None
    return parts["coarse"], parts["digits"]
