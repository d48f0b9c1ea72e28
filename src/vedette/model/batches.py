"""What the pipeline hands the store, and what the store hands to those who tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from vedette.model.entries import LedgerNote
from vedette.model.findings import Finding
from vedette.model.positions import Position


@dataclass(frozen=True, slots=True)
class CommitBatch:
    """Everything that becomes true at once. `events` has EVENT_SCHEMA.

    `state` holds snapshots of detector windows by detector name (only those that changed). `ledger` holds
    increments: source id to counter name to amount. `token` increases with every batch of a process; a commit
    repeated with the same token after an unknown outcome is applied once.
    """

    events: pl.DataFrame
    findings: tuple[Finding, ...] = ()
    positions: tuple[Position, ...] = ()
    state: Mapping[str, bytes] = field(default_factory=dict)
    ledger: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notes: tuple[LedgerNote, ...] = ()
    token: str = ""


@dataclass(frozen=True, slots=True)
class Committed:
    """A batch that is durable. Events carry the numbers first_seq, first_seq + 1, … in frame order; findings
    likewise from first_finding_seq. Numbers never repeat and never go back, also over restarts."""

    events: pl.DataFrame
    first_seq: int
    findings: tuple[Finding, ...]
    first_finding_seq: int
    committed_at: datetime

    @property
    def next_seq(self) -> int:
        """The number the next event will get."""
        return self.first_seq + self.events.height
