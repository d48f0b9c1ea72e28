"""What a format is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import polars as pl


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a format explains a sample: 0 (not at all) to 1 (every line, and nothing looks accidental)."""

    format_name: str
    confidence: float
    reason: str


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What lines alone cannot tell. `timezone` is an IANA name or None for UTC; `reference_time` is aware.

    `header` is the line before them that names their columns, where one did.
    """

    reference_time: datetime
    timezone: str | None = None
    header: str | None = None


class Format(Protocol):
    """One way of writing logs. Pure, synchronous, thread-safe; called with every batch of its lines."""

    @property
    def name(self) -> str: ...

    def fits(self, sample: Sequence[str]) -> Fit:
        """Judge a sample of at most some hundred lines; cheap, never raises."""
        ...

    def parse(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        """Take lines apart: one row a line, same order, never an exception for what a line holds.

        Columns are a subset of EVENT_SCHEMA with its types, at least `parse.status`; a missing column means null.
        """
        ...
