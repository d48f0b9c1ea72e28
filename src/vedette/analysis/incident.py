"""What an incident is: findings that tell of the same trouble, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vedette.model.severity import SeverityFactor, total


@dataclass(frozen=True, slots=True)
class Chapter:
    """One finding of the story, in a sentence."""

    at: datetime
    until: datetime
    finding_id: str
    rule_id: str
    severity: int
    sentence: str
    tactics: tuple[str, ...] = ()
    """ATT&CK tactics, as in `credential access`."""


@dataclass(frozen=True, slots=True)
class Incident:
    """Findings joined by what they share and by time.

    `id` is that of its first finding with `incident-` before it: it stays while later findings join. When an older
    finding turns out to belong to it the id changes. `entities` are the values by column (`source.ip` …), the most
    named first, bounded; `story` is bounded, `finding_ids` are all of them, in order of time.
    """

    id: str
    title: str
    summary: str
    factors: tuple[SeverityFactor, ...]
    first_seen: datetime
    last_seen: datetime
    entities: dict[str, tuple[str, ...]]
    story: tuple[Chapter, ...]
    finding_ids: tuple[str, ...]
    event_count: int
    tactics: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()
    """Ids, as in `T1110.001`."""
    sources: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    @property
    def severity(self) -> int:
        """1-10, the sum of the factors within the scale."""
        return total(self.factors)

    @property
    def score(self) -> int:
        """The sum of the factors without the limit of the scale, for the order among the worst."""
        return sum(factor.amount for factor in self.factors)
