"""Raw log records on their way from a source to the formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag
from typing import Final

import polars as pl

from vedette.model.positions import Position


class EntryFlag(IntFlag):
    """What had to be done to a record before it could be text."""

    CUT = 1
    """Longer than the source's maximum: `text` is the beginning, `length` and `hash` speak of the whole."""
    ESCAPED = 2
    """Held bytes that are not text in the file's encoding: each stands as `\\xNN`, and a backslash as `\\\\`,
    so that the original bytes can be had back."""
    UNFINISHED = 4
    """Its line end never came (idle flush, or the file's generation ended)."""


ENTRY_SCHEMA: Final = pl.Schema(
    {
        "offset": pl.Int64,  # byte offset of the record's first byte in its file
        "length": pl.Int64,  # bytes it takes in the file, line end included
        "text": pl.String,  # without line end
        "flags": pl.UInt8,  # EntryFlag
        "hash": pl.String,  # hexadecimal SHA-256 of the whole record where CUT, else null
    }
)


@dataclass(frozen=True, slots=True)
class LedgerNote:
    """Something about a source that an operator should be able to look up later.

    kind: truncated, replaced, gap, encoding, unreadable, disappeared, overflow, resumed.
    `bytes_lost` counts bytes known to be lost, 0 when none or unknown.
    """

    source_id: str
    kind: str
    detail: str
    at: datetime
    path: str = ""
    bytes_lost: int = 0


@dataclass(frozen=True, slots=True)
class EntryBatch:
    """Consecutive records of one generation of one file (or one other stream), in file order.

    `frame` has ENTRY_SCHEMA and may be empty: then the batch only moves the position or carries notes.
    `position` is where reading resumes once this batch is committed. `size_bytes` is what the batch costs the
    queue. `timezone` (IANA name) and `format_name` are the source's wishes; None means: find out.
    `reference_time` is what a stamp without a year is near to: the time read when following, the file's
    modification time when reading history. `counts` are increments for the ledger by counter name: what was read
    and is no row of `frame` (`blank`, `hole_bytes`), how much was read (`read`, `bytes`), and what it took (`cut`,
    `escaped`, `unfinished`).
    """

    source_id: str
    generation: int
    path: str
    frame: pl.DataFrame
    position: Position | None
    size_bytes: int
    read_at: datetime
    reference_time: datetime
    priority: int = 5
    timezone: str | None = None
    format_name: str | None = None
    notes: tuple[LedgerNote, ...] = field(default=())
    counts: Mapping[str, int] = field(default_factory=dict)
