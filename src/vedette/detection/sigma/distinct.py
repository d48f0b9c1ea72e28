"""A condition on many events: in columns as far as that goes, and once for each combination of values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from vedette.detection.sigma.expressions import Check, PlacesOf, check_of
from vedette.detection.sigma.fields import URL_PARTS, Record
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.detection.sigma.spellings import Spellings
from vedette.model.events import EVENT_SCHEMA

_MAX_REMEMBERED: Final = 1_024
_REPEATING: Final = 0.1
"""Share of distinct values up to which verdicts are worth remembering."""
_MOST_TERMS: Final = 64
"""Comparisons in columns that one condition may cost."""
_FEW_ROWS: Final = 256

Places = tuple[str, ...]
Values = tuple[str | None, ...]


class FlatEvents:
    """Events whose `fields` is a flat object of texts as Vedette writes it: values are taken out in columns."""

    def __init__(self, events: pl.DataFrame, keys: Sequence[str] = ()) -> None:
        """`keys` of `fields` are taken out all at once when the first is asked for."""
        self._events = events
        self._keys = tuple(keys)
        self._members: dict[str, pl.Series] | None = None
        self._spellings: Spellings | None = None
        self._known: dict[Places, pl.Series] = {}
        self._lower: dict[Places, pl.Series] = {}

    def small(self, places: Places) -> pl.Series:
        """The same in small letters."""
        if places not in self._lower:
            self._lower[places] = self.values(places).str.to_lowercase()
        return self._lower[places]

    def values(self, places: Places) -> pl.Series:
        """One text an event."""
        if places not in self._known:
            self._known[places] = self._found(places)
        return self._known[places]

    def _found(self, places: Places) -> pl.Series:
        found = pl.Series("value", [None], dtype=pl.String).new_from_index(0, self._events.height)
        for name in places:
            if name in EVENT_SCHEMA:
                found = _filled(found, self._events[name].cast(pl.String))
            if name not in URL_PARTS and found.null_count():
                found = _filled(found, self._member(name, found.is_null()))
        return found

    def _member(self, name: str, wanted: pl.Series) -> pl.Series:
        if name in self._keys:
            if self._members is None:
                self._members = _members(self._events["fields"], self._keys)
            found = self._members[name]
        else:
            found = self._spelled(name, wanted)
        if found.null_count() and (missing := wanted & found.is_null()).any():
            for other in self._other_names(name, missing):
                found = _filled(found, self._spelled(other, wanted & found.is_null()))
        return found

    def _other_names(self, name: str, rows: pl.Series) -> list[str]:
        """Under which other names some of the rows may have it."""
        if self._spellings is None:
            self._spellings = Spellings(self._events["fields"])
        return self._spellings.others(name) if self._spellings.may_have(name, rows) else []

    def _spelled(self, name: str, wanted: pl.Series) -> pl.Series:
        fields = self._events["fields"]
        return _member(fields if wanted.all() else pl.select(pl.when(wanted).then(fields)).to_series(), name)


def _filled(found: pl.Series, others: pl.Series) -> pl.Series:
    if others.null_count() == others.len():
        return found
    if found.null_count() == found.len():
        return others
    return pl.select(pl.coalesce(found, others).alias("value")).to_series()


def _members(fields: pl.Series, keys: Sequence[str]) -> dict[str, pl.Series]:
    try:
        objects = fields.str.json_decode(pl.Struct(dict.fromkeys(keys, pl.String)))
    except PolarsError:
        return {key: _member(fields, key) for key in keys}
    return {key: objects.struct.field(key) for key in keys}


def _member(fields: pl.Series, name: str) -> pl.Series:
    key = "".join(f"\\x{{{ord(one):x}}}" for one in json.dumps(name, ensure_ascii=False))
    raw = fields.str.extract(rf'[{{,]{key}:("(?:[^"\\]|\\.)*")', 1)
    if raw.str.contains("\\", literal=True).any():
        return raw.str.json_decode(pl.String)
    return raw.str.slice(1).str.head(-1)


class ColumnCheck:
    """A rule's condition for many flat events. Parts that few values decide come first, each evaluated once for each
    combination of values; what columns can rule out comes next; the rest is evaluated value by value. Verdicts are
    remembered, bounded."""

    def __init__(self, condition: Node, places_of: PlacesOf, places: Sequence[Places]) -> None:
        members = condition.members if isinstance(condition, AllOf) else (condition,)
        groups: dict[tuple[Places, ...], list[Node]] = {}
        for one in members:
            groups.setdefault(places_asked(one, places_of) or (), []).append(one)
        self._stages = [
            _Stage(asked, check_of(AllOf(tuple(nodes)), places_of), _filters(nodes, places_of))
            for asked, nodes in groups.items()
        ]
        self.places = tuple(places)

    def held(self, events: FlatEvents, rows: pl.Series, chosen: pl.Series | None) -> pl.Series:
        """Those of `rows` (numbers of the events, all of them) for which it holds; only those at `chosen` are
        considered."""
        left = pl.int_range(rows.len(), dtype=pl.UInt32, eager=True) if chosen is None else chosen
        for stage in sorted(self._stages, key=lambda one: one.expense):
            if left.is_empty():
                break
            left = stage.held(events, left)
        return rows.gather(left)


class _Stage:
    """One part of a condition."""

    def __init__(self, places: Sequence[Places], check: Check, filters: _Filters | None) -> None:
        self._places = tuple(places)
        self._check = check
        self._filters = filters
        self._verdicts: dict[Values, bool] = {}
        self._share = 0.5

    @property
    def expense(self) -> float:
        """How many distinct values it met lately, as a share of the events."""
        return self._share * max(1, len(self._places))

    def held(self, events: FlatEvents, chosen: pl.Series) -> pl.Series:
        if self._filters is not None and chosen.len() > _FEW_ROWS and self._share > 0.05:
            chosen = self._filtered(events, chosen)
            if chosen.is_empty():
                return chosen
        names = [str(number) for number in range(len(self._places))]
        columns = [events.values(places).gather(chosen) for places in self._places]
        named = [column.alias(name) for column, name in zip(columns, names, strict=True)]
        frame = pl.DataFrame([chosen.alias("at"), *named])
        distinct = frame.select(names).unique()
        if chosen.len() > _FEW_ROWS:
            self._share = distinct.height / chosen.len()
        verdicts = [self._verdict(values) for values in distinct.iter_rows()]
        if not any(verdicts):
            return chosen.clear()
        if all(verdicts):
            return chosen
        holding = distinct.filter(pl.Series(verdicts, dtype=pl.Boolean))
        return frame.join(holding, on=names, how="semi", nulls_equal=True)["at"]

    def _filtered(self, events: FlatEvents, chosen: pl.Series) -> pl.Series:
        assert self._filters is not None
        columns, expression = self._filters
        texts = {
            name: (events.small if is_small else events.values)(places) for name, (places, is_small) in columns.items()
        }
        is_all = all(chosen.len() == text.len() for text in texts.values())
        frame = pl.DataFrame([(text if is_all else text.gather(chosen)).alias(name) for name, text in texts.items()])
        return chosen.filter(frame.select(expression).to_series().fill_null(value=False))

    def _verdict(self, values: Values) -> bool:
        known = self._verdicts.get(values)
        if known is None:
            known = self._check(_record(dict(zip(self._places, values, strict=True))))
            if self._share <= _REPEATING:
                if len(self._verdicts) >= _MAX_REMEMBERED:
                    self._verdicts.clear()
                self._verdicts[values] = known
        return known


def _record(values: Mapping[Places, str | None]) -> Record:
    return Record.of({places: () if value is None else (value,) for places, value in values.items()})


def places_asked(node: Node, places_of: PlacesOf) -> tuple[Places, ...] | None:
    """The places of all fields in the condition, each once; None where it looks into the whole record."""
    found: dict[Places, None] = {}
    return tuple(found) if _collect(node, places_of, found) else None


def _collect(node: Node, places_of: PlacesOf, found: dict[Places, None]) -> bool:
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
            told = [_collect(one, places_of, found) for one in members]
            return all(told)


_Columns = dict[str, tuple[Places, bool]]
"""Name of a column to the places of its texts, and whether they are in small letters."""
_Filters = tuple[_Columns, pl.Expr]


def _column(places: Places, *, is_small: bool) -> pl.Expr:
    return pl.col(("small:" if is_small else "") + "|".join(places))


def _filters(nodes: Sequence[Node], places_of: PlacesOf) -> _Filters | None:
    """A necessary condition in columns, with the columns it reads. None where there is none, or it would cost more than
    it saves."""
    expressions = [one for node in nodes if (one := _necessary(node, places_of)) is not None]
    if not expressions:
        return None
    expression = reduce(and_, expressions)
    names = expression.meta.root_names()
    if len(names) > _MOST_TERMS:
        return None
    columns = {
        name: (tuple(name.removeprefix("small:").split("|")), name.startswith("small:"))
        for name in dict.fromkeys(names)
    }
    return columns, expression


def _necessary(node: Node, places_of: PlacesOf) -> pl.Expr | None:
    match node:
        case Clause():
            return _necessary_clause(node, places_of)
        case Not():
            return None
        case AllOf(members):
            parts = [one for member in members if (one := _necessary(member, places_of)) is not None]
            return reduce(and_, parts) if parts else None
        case AnyOf(members):
            parts = []
            for member in members:
                part = _necessary(member, places_of)
                if part is None:
                    return None
                parts.append(part)
            return reduce(or_, parts)


def _necessary_clause(clause: Clause, places_of: PlacesOf) -> pl.Expr | None:
    if clause.field is None or clause.operator not in _FILTERED:
        return None
    places = places_of(clause.field)
    if clause.operator is Operator.REGEX:
        expression = rust_expression(clause.value)
        return None if expression is None else _column(places, is_small=False).str.contains(expression)
    lower = _column(places, is_small=True)
    if clause.operator is Operator.SAME_AS:
        other = _column(places_of(clause.value.strip("*")), is_small=True)
        return lower.str.contains(other, literal=True)
    wanted = clause.value.lower()
    match clause.operator:
        case Operator.EQUALS:
            return lower == wanted
        case Operator.STARTS:
            return lower.str.starts_with(wanted)
        case Operator.ENDS:
            return lower.str.ends_with(wanted)
    return lower.str.contains(wanted, literal=True)


_FILTERED: Final = frozenset({
    Operator.EQUALS, Operator.STARTS, Operator.ENDS, Operator.CONTAINS, Operator.REGEX, Operator.SAME_AS
})  # fmt: skip
_SAME_ESCAPES: Final = frozenset("nrtfv")
_CLASSES: Final = {"w": "0-9A-Za-z_", "d": "0-9", "s": r"\t\n\f\r\x20"}


def rust_expression(expression: str) -> str | None:
    """The same expression for the engine of Polars, which takes letters of all languages for letters and knows nested
    sets; None where that cannot be said."""
    try:
        return "".join(_rust_tokens(expression))
    except ValueError:
        return None


def _rust_tokens(expression: str) -> Iterator[str]:
    in_set, place = False, 0
    while place < len(expression):
        letter = expression[place]
        place += 1
        if letter == "\\":
            escaped = expression[place : place + 1]
            place += 1
            yield _rust_escape(escaped, in_set=in_set)
        elif in_set:
            in_set = letter != "]"
            yield letter if letter in "]-^" or letter.isalnum() else f"\\x{{{ord(letter):x}}}"
        elif letter == "[":
            in_set = True
            opening = re.match(r"\^?\]?", expression[place:])
            start = opening[0] if opening else ""
            place += len(start)
            if expression[place : place + 1] == ":":
                raise ValueError(expression)
            yield "[" + start.replace("]", r"\]")
        elif letter in "{}" and re.match(r"\{\d+(?:,\d*)?\}", expression[place - 1 :]) is None and letter == "{":
            raise ValueError(expression)
        else:
            yield letter


def _rust_escape(escaped: str, *, in_set: bool) -> str:
    if escaped in _CLASSES:
        return _CLASSES[escaped] if in_set else f"[{_CLASSES[escaped]}]"
    if escaped.lower() in _CLASSES and not in_set:
        return f"[^{_CLASSES[escaped.lower()]}]"
    if escaped in {"b", "B"} and not in_set:
        return rf"(?-u:\{escaped})"
    if escaped in _SAME_ESCAPES:
        return f"\\{escaped}"
    if not escaped or escaped.isalnum():
        raise ValueError(escaped)
    return f"\\x{{{ord(escaped):x}}}"
