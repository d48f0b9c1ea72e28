"""Looks at recent events to tell which rules could fire."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from vedette.detection.deliveries import SampledDeliveries
from vedette.detection.readiness import Readiness, readiness_of
from vedette.detection.sigma.rules import RuleSet
from vedette.model.clock import Clock
from vedette.model.events import EVENT_SCHEMA
from vedette.model.query import parse_query
from vedette.store import EventStore

_NEWEST: Final = 40_000
_CHUNK: Final = 20_000
_OF_EACH: Final = 30
_MOST_VALUES: Final = 60
_RECENT: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found out about rules, when, and from how many events."""

    at: datetime
    events: int
    by_rule: dict[str, Readiness] = field(default_factory=dict)
    deliveries: SampledDeliveries = field(default_factory=SampledDeliveries)

    def needs(self) -> list[tuple[str, int]]:
        """What rules wait for, most wanted first."""
        wanted = Counter(need for one in self.by_rule.values() for need in one.needs)
        return sorted(wanted.items(), key=lambda item: (-item[1], item[0]))


def survey(store: EventStore, rules: RuleSet, clock: Clock) -> Survey:
    """The newest events, and some of every format, channel and event number of the last week. Blocks for seconds."""
    deliveries = SampledDeliveries()
    end = store.next_seq()
    seq = max(store.oldest_seq(), end - _NEWEST) - 1
    while not (frame := store.frames_after(seq, end, limit=_CHUNK)).is_empty():
        seq = int(frame["vedette.seq"][-1])
        deliveries.add(frame.select(EVENT_SCHEMA.names()))
    now = clock.now()
    since = f"ingested>={(now - _RECENT).isoformat()}"
    for column in ("log.format", "fields.Channel", "process.name"):
        for value in _values(store, since, column, now):
            query = parse_query(f"{since} {column}:{_quoted(value)}", now=now)
            deliveries.add_rows(store.search(query, limit=_OF_EACH).rows)
    return Survey(now, deliveries.events, readiness_of(rules, deliveries), deliveries)


def _values(store: EventStore, since: str, column: str, now: datetime) -> Sequence[str]:
    found = store.top(parse_query(since, now=now), column, limit=_MOST_VALUES)
    return [str(row["value"]) for row in found]


def _quoted(value: str) -> str:
    from vedette.model.query.tree import quoted

    return quoted(value)
