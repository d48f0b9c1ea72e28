"""Entry batches for tests, made from lines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate

import polars as pl

from vedette.model.entries import ENTRY_SCHEMA, EntryBatch

READ_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)


def batch_of(
    lines: Sequence[str],
    *,
    source: str = "s",
    generation: int = 7,
    reference_time: datetime = READ_AT,
    read_at: datetime = READ_AT,
    timezone: str | None = None,
    format_name: str | None = None,
    flags: Sequence[int] | None = None,
    hashes: Sequence[str | None] | None = None,
    start: int = 0,
    path: str | None = None,
) -> EntryBatch:
    """One entry a line, at the offsets they would have in a file."""
    lengths = [len(line.encode()) + 1 for line in lines]
    frame = pl.DataFrame(
        {
            "offset": [start + end - length for end, length in zip(accumulate(lengths), lengths, strict=True)],
            "length": lengths,
            "text": list(lines),
            "flags": list(flags or [0] * len(lines)),
            "hash": list(hashes or [None] * len(lines)),
        },
        schema=ENTRY_SCHEMA,
    )
    return EntryBatch(
        source_id=source,
        generation=generation,
        path=path or f"/var/log/{source}",
        frame=frame,
        position=None,
        size_bytes=sum(lengths),
        read_at=read_at,
        reference_time=reference_time,
        timezone=timezone,
        format_name=format_name,
    )
