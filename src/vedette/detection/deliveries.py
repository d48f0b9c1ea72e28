"""What the sources deliver, seen from a sample of events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import polars as pl

from vedette.detection.sigma.fields import Record, field_map
from vedette.detection.sigma.logsources import KEYED_FORMATS, KIND_COLUMNS, KIND_KEYS, Kind, logsource_map
from vedette.detection.sigma.rules import LogSource

_EVENTS_OF_A_KIND: Final = 20
_MOST_KINDS: Final = 2_000


class SampledDeliveries:
    """`Deliveries` of the events added so far: a few of each kind are kept, and no more than 2,000 kinds."""

    def __init__(self) -> None:
        self.events = 0
        self._kinds: dict[tuple[str | None, ...], list[Record]] = {}
        self._of_logsource: dict[LogSource, tuple[tuple[str | None, ...], ...]] = {}
        self._values: dict[tuple[LogSource, str], bool] = {}

    def add(self, events: pl.DataFrame) -> None:
        """Look at more events, of EVENT_SCHEMA."""
        self.events += events.height
        is_keyed = pl.any_horizontal(pl.col("log.format").str.contains(name, literal=True) for name in KEYED_FORMATS)
        keys = [
            pl.when(is_keyed).then(pl.col("fields")).str.json_path_match(f"$['{key}']").alias(f"kind.{key}")
            for key in KIND_KEYS
        ]
        kinds = events.with_columns(keys)
        names = [*KIND_COLUMNS, *(f"kind.{key}" for key in KIND_KEYS)]
        few = kinds.group_by(names, maintain_order=True).head(_EVENTS_OF_A_KIND)
        self._keep((row, tuple(row[name] for name in names)) for row in few.iter_rows(named=True))

    def add_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look at some rare events, as people read them (columns without a value are left out); not counted."""
        self._keep((row, _kind_of(row)) for row in rows)

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

    def _keep(self, rows: Iterable[tuple[Mapping[str, Any], tuple[str | None, ...]]]) -> None:
        for row, kind in rows:
            known = self._kinds.get(kind)
            if known is None:
                if len(self._kinds) >= _MOST_KINDS:
                    continue
                known = self._kinds[kind] = []
            if len(known) < _EVENTS_OF_A_KIND:
                known.append(Record(row))
        self._of_logsource.clear()
        self._values.clear()

    def _fitting(self, logsource: LogSource) -> tuple[tuple[str | None, ...], ...]:
        if logsource not in self._of_logsource:
            test, _ = logsource_map().test(logsource)
            self._of_logsource[logsource] = tuple(kind for kind in self._kinds if test.fits(_as_kind(kind)))
        return self._of_logsource[logsource]


def _kind_of(row: Mapping[str, Any]) -> tuple[str | None, ...]:
    fields = row.get("fields")
    is_keyed = any(name in (row.get("log.format") or "") for name in KEYED_FORMATS)
    members = fields if isinstance(fields, Mapping) and is_keyed else {}
    keys = [members.get(key) for key in KIND_KEYS]
    return (*(row.get(name) for name in KIND_COLUMNS), *(None if key is None else str(key) for key in keys))


def _as_kind(values: tuple[str | None, ...]) -> Kind:
    names = (*KIND_COLUMNS, *KIND_KEYS)
    return {name: value.lower() if value is not None else None for name, value in zip(names, values, strict=True)}
