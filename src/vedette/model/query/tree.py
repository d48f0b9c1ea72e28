"""What a query says, as data: a tree whose leaves each speak of one field.

Every leaf is true or false for every event: about a field the event does not have it is false, and the `Not` of
that is true. Text is compared without regard to case (see `fold` in `mask`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final, TypeAlias

import polars as pl

from vedette.model.events import COLUMN_BY_NAME, EventColumn


class Kind(Enum):
    """How a field is compared."""

    TEXT = "text"
    PROSE = "prose"
    """Text in which `:` looks for a part, not for the whole."""
    IP = "ip"
    NUMBER = "number"
    TIME = "time"
    JSON = "json"
    """A key in the `fields` object: dotted as written, or a path into nested objects."""


_PROSE: Final = frozenset({"event.original", "message", "vedette.marks", "fields"})


@dataclass(frozen=True, slots=True)
class Field:
    """A column, or a key of the `fields` object."""

    name: str
    kind: Kind

    def __str__(self) -> str:
        return f"fields.{self.name}" if self.kind is Kind.JSON else self.name


def field_of(column: EventColumn) -> Field:
    """The field that a column is."""
    if column.name in _PROSE:
        return Field(column.name, Kind.PROSE)
    if column.is_ip:
        return Field(column.name, Kind.IP)
    if column.dtype == pl.String:
        return Field(column.name, Kind.TEXT)
    return Field(column.name, Kind.TIME if column.dtype.is_temporal() else Kind.NUMBER)


LOOKED_AT: Final = 8_192
"""Free text and parts are looked for in the whole of a text; every other comparison looks at so many characters of
it, and a `fields` object that is longer has no keys."""

ORIGINAL: Final = field_of(COLUMN_BY_NAME["event.original"])
TIMESTAMP: Final = field_of(COLUMN_BY_NAME["@timestamp"])


class Operator(Enum):
    """Comparisons of numbers and times."""

    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


Value: TypeAlias = int | float | datetime


@dataclass(frozen=True, slots=True)
class All:
    """Every event."""

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Equals:
    """The field is this text or number. On a JSON field a text that looks like a number equals the number too."""

    field: Field
    value: str | int | datetime

    def __str__(self) -> str:
        return f"{self.field}:{_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Contains:
    """The text holds this part; free text is this on `event.original`."""

    field: Field
    part: str

    def __str__(self) -> str:
        return quoted(self.part) if self.field == ORIGINAL else f"{self.field}:{quoted(self.part)}"


@dataclass(frozen=True, slots=True)
class Wildcard:
    """The whole text fits a pattern: `*` any characters, `?` one, a backslash takes their meaning from both."""

    field: Field
    pattern: str

    def __str__(self) -> str:
        return f"{self.field}:{written_pattern(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Compare:
    """The number or time lies on this side of the value; on a JSON field only numbers compare."""

    field: Field
    operator: Operator
    value: Value

    def __str__(self) -> str:
        return f"{self.field}{self.operator.value}{_shown(self.value)}"


@dataclass(frozen=True, slots=True)
class Exists:
    """The event has the field."""

    field: Field

    def __str__(self) -> str:
        return f"{self.field}:*"


@dataclass(frozen=True, slots=True)
class Cidr:
    """The address lies in the network, written canonically (`10.0.0.0/8`)."""

    field: Field
    network: str

    def __str__(self) -> str:
        return f"{self.field}:{self.network}"


@dataclass(frozen=True, slots=True)
class Not:
    term: Node

    def __str__(self) -> str:
        return f"-{_bracketed(self.term)}"


@dataclass(frozen=True, slots=True)
class And:
    terms: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(_bracketed(term) for term in self.terms)


@dataclass(frozen=True, slots=True)
class Or:
    terms: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(_bracketed(term) for term in self.terms)


Leaf: TypeAlias = All | Equals | Contains | Wildcard | Compare | Exists | Cidr
Node: TypeAlias = Leaf | Not | And | Or


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query. Two that mean the same in the same words are equal, whatever their order and spelling;
    `str` gives the canonical form, which parses to an equal query. `text` is what was typed."""

    tree: Node
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return str(self.tree)


MATCH_ALL: Final = Query(All())


def negation(term: Node) -> Node:
    """The opposite of a term."""
    return term.term if isinstance(term, Not) else Not(term)


def conjunction(terms: list[Node]) -> Node:
    """All of the terms: flat, sorted, without repetition."""
    kept = _distinct([part for term in terms for part in (term.terms if isinstance(term, And) else (term,))])
    kept = [term for term in kept if not isinstance(term, All)]
    if not kept:
        return All()
    return kept[0] if len(kept) == 1 else And(tuple(kept))


def disjunction(terms: list[Node]) -> Node:
    """Any of the terms: flat, sorted, without repetition."""
    kept = _distinct([part for term in terms for part in (term.terms if isinstance(term, Or) else (term,))])
    if any(isinstance(term, All) for term in kept):
        return All()
    return kept[0] if len(kept) == 1 else Or(tuple(kept))


def widened(query: Query, column: str, also: Callable[[str], Iterable[str]]) -> Query:
    """The query with every term that asks for one text of a column asking for each of `also(text)`: for names that one
    thing has had one after the other."""

    def widen(term: Node) -> Node:
        if isinstance(term, Equals) and term.field.name == column and isinstance(term.value, str):
            return disjunction([Equals(term.field, value) for value in also(term.value)])
        if isinstance(term, Not):
            return negation(widen(term.term))
        if isinstance(term, And):
            return conjunction([widen(each) for each in term.terms])
        if isinstance(term, Or):
            return disjunction([widen(each) for each in term.terms])
        return term

    return Query(widen(query.tree), query.text)


def quoted(text: str) -> str:
    """The text as a quoted value of the grammar."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written_pattern(pattern: str) -> str:
    """A pattern as an unquoted value of the grammar."""
    return "".join(f"\\{sign}" if sign in '"() \t\r\n' or sign.isspace() else sign for sign in pattern)


def _distinct(terms: list[Node]) -> list[Node]:
    by_text = {str(term): term for term in terms}
    return [by_text[text] for text in sorted(by_text)]


def _bracketed(term: Node) -> str:
    return f"({term})" if isinstance(term, And | Or) else str(term)


def _shown(value: Value | str) -> str:
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(value)
