"""A condition on many events: evaluated once for each combination of values it asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from vedette.detection.sigma.expressions import Check, PlacesOf
from vedette.detection.sigma.fields import URL_PARTS, Record
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.model.events import EVENT_SCHEMA

_MAX_REMEMBERED: Final = 16_384
Values = tuple[str | None, ...]


def places_asked(node: Node, places_of: PlacesOf) -> tuple[tuple[str, ...], ...] | None:
    """The places of all fields in the condition, each once; None where it looks into the whole record."""
    found: dict[tuple[str, ...], None] = {}
    return tuple(found) if _collect(node, places_of, found) else None


def _collect(node: Node, places_of: PlacesOf, found: dict[tuple[str, ...], None]) -> bool:
    match node:
        case Clause():
            if node.field is None:
                return False
            found[places_of(node.field)] = None
            if node.operator is Operator.SAME_AS:
                found[places_of(node.value.strip("*"))] = None
            return True
        case Not(member):
            return _collect(member, places_of, found)
        case AllOf(members) | AnyOf(members):
            return all([_collect(one, places_of, found) for one in members])


class FlatEvents:
    """Events whose `fields` is a flat object of texts as Vedette writes it: values are taken out in columns."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events
        self._known: dict[tuple[str, ...], pl.Series] = {}
        self._keys: dict[str, pl.Series] = {}

    def values(self, places: tuple[str, ...]) -> pl.Series:
        if places not in self._known:
            parts: list[pl.Series] = []
            for name in places:
                if name in EVENT_SCHEMA:
                    parts.append(self._events[name].cast(pl.String))
                if name not in URL_PARTS:
                    parts.append(self._key(name))
            named = [part.alias(str(number)) for number, part in enumerate(parts)]
            self._known[places] = pl.DataFrame(named).select(pl.coalesce(pl.all()).alias("value")).to_series()
        return self._known[places]

    def _key(self, name: str) -> pl.Series:
        if name not in self._keys:
            key = "".join(f"\\x{{{ord(one):x}}}" for one in json.dumps(name, ensure_ascii=False))
            raw = self._events["fields"].str.extract(rf'{key}:("(?:[^"\\]|\\.)*")', 1)
            is_escaped = bool(raw.str.contains("\\", literal=True).any())
            self._keys[name] = raw.str.json_decode(pl.String) if is_escaped else raw.str.slice(1).str.head(-1)
        return self._keys[name]


class DistinctCheck:
    """A rule's check that remembers its verdicts by the values it asks for."""

    def __init__(self, check: Check, places: Sequence[tuple[str, ...]]) -> None:
        self._check = check
        self._places = tuple(places)
        self._verdicts: dict[Values, bool] = {}

    def held(self, events: FlatEvents, rows: pl.Series) -> pl.Series:
        """Those of the rows for which it holds; `rows` numbers the events."""
        names = [str(number) for number in range(len(self._places))]
        columns = [events.values(places).alias(name) for places, name in zip(self._places, names, strict=True)]
        frame = pl.DataFrame([rows.alias("row"), *columns])
        distinct = frame.select(names).unique()
        verdicts = [self._verdict(values) for values in distinct.iter_rows()]
        if not any(verdicts):
            return rows.clear()
        holding = distinct.filter(pl.Series(verdicts, dtype=pl.Boolean))
        return frame.join(holding, on=names, how="semi", nulls_equal=True)["row"]

    def _verdict(self, values: Values) -> bool:
        known = self._verdicts.get(values)
        if known is None:
            if len(self._verdicts) >= _MAX_REMEMBERED:
                self._verdicts.clear()
            known = self._verdicts[values] = self._check(_record(dict(zip(self._places, values, strict=True))))
        return known


def _record(values: Mapping[tuple[str, ...], str | None]) -> Record:
    return Record.of({places: () if value is None else (value,) for places, value in values.items()})
