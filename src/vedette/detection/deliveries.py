"""What the sources deliver, seen from a sample of events."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from vedette.detection.sigma.fields import Record, field_map
from vedette.detection.sigma.kinds import KINDS, kind_frame
from vedette.detection.sigma.logsources import logsource_map
from vedette.detection.sigma.rules import LogSource
from vedette.model.events import EVENT_SCHEMA

_EVENTS_OF_A_KIND: Final = 20
_MOST_KINDS: Final = 2_000

Kind = tuple[str | None, ...]
"""Values of KINDS."""


class SampledDeliveries:
    """`Deliveries` of the events added so far: a few of each kind are kept, and no more than 2,000 kinds."""

    def __init__(self) -> None:
        self.events = 0
        self._kinds: dict[Kind, list[Record]] = {}
        self._of_logsource: dict[LogSource, tuple[Kind, ...]] = {}
        self._values: dict[tuple[LogSource, str], bool] = {}

    def add(self, events: pl.DataFrame) -> None:
        """Look at more events, of EVENT_SCHEMA."""
        self.events += events.height
        self._keep(events)

    def add_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look at some rare events, as people read them (columns without a value are left out); not counted."""
        if rows:
            self._keep(pl.DataFrame([_as_event(row) for row in rows], schema=EVENT_SCHEMA, orient="row"))

    def has_logs(self, logsource: LogSource) -> bool:
        return bool(self._fitting(logsource))

    def has_values(self, logsource: LogSource, field: str) -> bool:
        key = logsource, field
        if key not in self._values:
            places = field_map().places(field, logsource)
            self._values[key] = any(
                record.values(places) for kind in self._fitting(logsource) for record in self._kinds[kind]
            )
        return self._values[key]

    def _keep(self, events: pl.DataFrame) -> None:
        if events.is_empty():
            return
        for *values, rows in kind_frame(events).iter_rows():
            kind = tuple(values)
            known = self._kinds.get(kind)
            if known is None:
                if len(self._kinds) >= _MOST_KINDS:
                    continue
                known = self._kinds[kind] = []
            wanted = rows[: _EVENTS_OF_A_KIND - len(known)]
            known += [Record(row) for row in events[wanted].iter_rows(named=True)]
        self._of_logsource.clear()
        self._values.clear()

    def _fitting(self, logsource: LogSource) -> tuple[Kind, ...]:
        if logsource not in self._of_logsource:
            test, _ = logsource_map().test(logsource)
            self._of_logsource[logsource] = tuple(
                kind for kind in self._kinds if test.fits(dict(zip(KINDS, kind, strict=True)))
            )
        return self._of_logsource[logsource]


def _as_event(row: Mapping[str, Any]) -> dict[str, Any]:
    event = {name: row.get(name) for name in EVENT_SCHEMA}
    if isinstance(event["fields"], Mapping):
        event["fields"] = json.dumps(event["fields"], ensure_ascii=False, separators=(",", ":"))
    for name, dtype in EVENT_SCHEMA.items():
        value = event[name]
        if dtype.is_temporal() and isinstance(value, str):
            event[name] = datetime.fromisoformat(value)
    return event
