"""What detection concludes, with its proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from vedette.model.severity import SeverityFactor, total


@dataclass(frozen=True, slots=True)
class Evidence:
    """One clause of a rule that held: which column, which value, in which event (None for a whole window)."""

    clause: str
    column: str
    value: str
    event_id: str | None = None
    text: str = ""
    """The record's text that `value` stands in, for highlighting; empty for a whole window."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact made by a detector. Committing one with a known `id` replaces it: a finding grows, it does not repeat.

    `id` is stable for rule, key and window. `event_ids` is a bounded sample in event order, `event_count` the
    truth. Times are event time except `found_at`.
    """

    id: str
    rule_id: str
    rule_name: str
    rule_level: str
    title: str
    summary: str
    factors: tuple[SeverityFactor, ...]
    first_seen: datetime
    last_seen: datetime
    found_at: datetime
    entity: dict[str, str]
    evidence: tuple[Evidence, ...]
    event_ids: tuple[str, ...]
    event_count: int
    category: str = ""
    actions: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    status: str = "new"
    details: dict[str, str | int | float] = field(default_factory=dict)

    @property
    def severity(self) -> int:
        """1-10, the sum of the factors."""
        return total(self.factors)
