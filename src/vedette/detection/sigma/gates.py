"""Conditions as column expressions: for many events at once it is told which surely fulfil a condition and which may.

Columns answer most clauses for all events together; what only `fields` can answer, or a regular expression that the
column engine reads in another way, stays open, and the record itself is asked.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from vedette.detection.sigma.expressions import MAX_LOOKED_AT, PlacesOf
from vedette.detection.sigma.fields import URL_PARTS
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.detection.sigma.triggers import PRINTABLE, needed_literals
from vedette.model.events import EVENT_SCHEMA

_LITERAL: Final = frozenset({Operator.EQUALS, Operator.STARTS, Operator.ENDS, Operator.CONTAINS})
_YES: Final = pl.lit(value=True)
_NO: Final = pl.lit(value=False)
_HAS_FIELDS: Final = pl.col("fields").is_not_null()
_SURE: Final = "sure"
_MAY: Final = "may"
_MOST_PARTS: Final = 400
"""Clauses that one expression may have."""


class Gate:
    """A rule's condition in columns."""

    def __init__(self, condition: Node, places_of: PlacesOf) -> None:
        """Raises ValueError where the condition is too large for an expression."""
        verdict = _Builder(places_of).verdict(condition)
        self._expressions = [verdict.may.alias(_MAY), verdict.sure.alias(_SURE)]
        literally = _Builder(places_of, literally=True)
        rough = literally.verdict(condition).may
        self._rough = rough.alias(_MAY) if literally.has_patterns else None

    def sift(self, events: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        """For each event: does it surely fulfil the condition, and has its record to be asked?"""
        if self._rough is None:
            return self._told(events)
        rows = _full(events.select(self._rough), events.height)[_MAY].arg_true()
        if rows.is_empty():
            return _at(rows, events.height), _at(rows, events.height)
        sure, is_open = self._told(events[rows])
        return _at(rows.filter(sure), events.height), _at(rows.filter(is_open), events.height)

    def _told(self, events: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        told = _full(events.select(self._expressions), events.height)
        return told[_SURE], told[_MAY] & ~told[_SURE]


def _at(rows: pl.Series, height: int) -> pl.Series:
    """True at these rows."""
    return pl.repeat(value=False, n=height, dtype=pl.Boolean, eager=True).scatter(rows, values=True)


def _full(told: pl.DataFrame, height: int) -> pl.DataFrame:
    """A condition without any column tells one row."""
    return told if told.height == height else pl.concat([told] * height)


@dataclass(frozen=True, slots=True)
class _Verdict:
    """Never null. What is sure may be."""

    sure: pl.Expr
    may: pl.Expr


_OPEN: Final = _Verdict(_NO, _YES)
_FOLDS_BEYOND_ASCII: Final = re.compile(r"\(\?[a-z]*i(?s:.*)s")
"""Where case does not matter an `s` may be written U+017F, which small letters leave as it is."""


class _Builder:
    """`literally`: of patterns, too, only literals that must stand in the text are looked for."""

    def __init__(self, places_of: PlacesOf, *, literally: bool = False) -> None:
        self._places_of = places_of
        self._literally = literally
        self._parts = 0
        self.has_patterns = False

    def verdict(self, node: Node) -> _Verdict:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise ValueError("the condition is too large for one expression")
        match node:
            case Clause():
                return self._clause(node, (node.value,))
            case Not(member):
                inner = self.verdict(member)
                return _Verdict(~inner.may, ~inner.sure)
            case AllOf(members):
                told = [self.verdict(one) for one in members]
                return _Verdict(pl.all_horizontal(one.sure for one in told), pl.all_horizontal(one.may for one in told))
            case AnyOf(members):
                told = self._any(members)
                return _Verdict(pl.any_horizontal(one.sure for one in told), pl.any_horizontal(one.may for one in told))

    def _any(self, members: Sequence[Node]) -> list[_Verdict]:
        """Literals for the same field in one verdict, the rest one by one."""
        groups: dict[tuple[str | None, Operator, bool], dict[str, Clause]] = {}
        told: list[_Verdict] = []
        for one in members:
            if not isinstance(one, Clause):
                told.append(self.verdict(one))
            elif one.operator in _LITERAL:
                groups.setdefault((one.field, one.operator, one.is_cased), {})[one.value] = one
            elif self._literally and (literals := _needed(one)):
                self.has_patterns = True
                group = groups.setdefault((one.field, Operator.CONTAINS, False), {})
                group |= {literal: _containing(one, literal) for literal in literals}
            else:
                told.append(self.verdict(one))
        for clauses in groups.values():
            self._parts += 1
            told.append(self._clause(next(iter(clauses.values())), tuple(clauses)))
        return told

    def _clause(self, clause: Clause, values: tuple[str, ...]) -> _Verdict:
        if clause.operator is Operator.NEVER:
            return _Verdict(_NO, _NO)
        if clause.field is None:
            return self._keyword(clause, values)
        return self._at(self._places_of(clause.field), clause, values)

    def _at(self, places: Sequence[str], clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """The value stands at the first place that has one: in the column, in `fields`, in the next column …"""
        if not places:
            return _nothing(clause)
        first, *others = places
        if first in URL_PARTS:
            url, may_be = pl.col("url.original"), _may_be_in_fields(first)
            beyond = self._at(others, clause, values)
            if clause.operator in _LITERAL and all(values):
                stands = _literal(url, _containing(clause, clause.value), values).fill_null(value=False)
            else:
                stands = url.is_not_null()
            return _Verdict(url.is_null() & ~may_be & beyond.sure, stands | may_be | beyond.may)
        beyond = self._at(others, clause, values)
        may_be = _may_be_in_fields(first)
        absent = _Verdict(~may_be & beyond.sure, may_be | beyond.may)
        if first not in EVENT_SCHEMA:
            return absent
        is_present = pl.col(first).is_not_null()
        present = self._present(first, clause, values)
        return _Verdict(
            pl.when(is_present).then(present.sure).otherwise(absent.sure),
            pl.when(is_present).then(present.may).otherwise(absent.may),
        )

    def _present(self, column: str, clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """Where the column has a value."""
        if isinstance(EVENT_SCHEMA[column], pl.Datetime):
            return _OPEN
        text = pl.col(column).cast(pl.String)
        match clause.operator:
            case Operator.IS_NULL:
                return _same(text == "")
            case Operator.EXISTS:
                return _Verdict(_YES, _YES) if clause.value == "true" else _Verdict(_NO, _NO)
            case Operator.LIKE | Operator.REGEX:
                return self._pattern(text, clause)
            case operator if operator in _LITERAL:
                return _same(_literal(text, clause, values))
            case operator if operator in _NUMBERS and EVENT_SCHEMA[column].is_integer():
                return _same(_compared(pl.col(column), operator, float(clause.value)))
        return _OPEN

    def _pattern(self, text: pl.Expr, clause: Clause) -> _Verdict:
        self.has_patterns = True
        if self._literally and (literals := _needed(clause)):
            stands = _literal(text, _containing(clause, ""), sorted(literals))
            return _Verdict(_NO, stands.fill_null(value=False))
        expression = for_columns(clause.value)
        if expression is None:
            return _OPEN
        if clause.operator is Operator.LIKE and not clause.is_cased:
            text = text.str.to_lowercase()
        is_short = text.str.len_bytes() <= MAX_LOOKED_AT
        found = text.str.contains(expression).fill_null(value=False)
        return _Verdict(found & is_short, found | ~is_short)

    def _keyword(self, clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """Looked for in the record as read, in its message and in every value of `fields`; where these are all there is to
        the record, in the values alone."""
        told: list[_Verdict] = []
        for column in ("event.original", "message"):
            text = pl.col(column)
            is_text = (text != "").fill_null(value=False)
            if clause.operator in _LITERAL:
                one = _same(_literal(text, clause, values))
            elif clause.operator in {Operator.LIKE, Operator.REGEX}:
                one = self._pattern(text, clause)
            else:
                return _OPEN
            told.append(_Verdict(is_text & one.sure, is_text & one.may))
        in_fields = _HAS_FIELDS
        if clause.operator in _LITERAL:
            members = pl.col("fields")
            said = _literal(members, replace(clause, operator=Operator.CONTAINS), values)
            in_fields = (said | members.str.contains("\\", literal=True)).fill_null(value=False)
        return _Verdict(
            pl.any_horizontal(one.sure for one in told) & ~_HAS_FIELDS,
            pl.any_horizontal(*(one.may for one in told), in_fields),
        )


def _may_be_in_fields(name: str) -> pl.Expr:
    """Whether `fields` may have a member of that name, in any case and however deep; its longest word stands there."""
    words = [word for word in re.split(r"[^a-z0-9]+", name.lower()) if word]
    if not words:
        return _HAS_FIELDS
    text = pl.col("fields").str.to_lowercase()
    said = text.str.contains(max(words, key=len), literal=True) | text.str.contains("\\u", literal=True)
    return said.fill_null(value=False)


def _needed(clause: Clause) -> frozenset[str] | None:
    """Of patterns: ASCII stretches of which one must stand in the text, in any case."""
    if clause.operator not in {Operator.LIKE, Operator.REGEX}:
        return None
    return None if _FOLDS_BEYOND_ASCII.search(clause.value) else needed_literals(clause, PRINTABLE)


def _containing(clause: Clause, literal: str) -> Clause:
    return replace(clause, operator=Operator.CONTAINS, value=literal, is_cased=False)


def _nothing(clause: Clause) -> _Verdict:
    """Where there is no value at all."""
    holds = clause.operator is Operator.IS_NULL or (clause.operator is Operator.EXISTS and clause.value != "true")
    return _Verdict(_YES, _YES) if holds else _Verdict(_NO, _NO)


_NUMBERS: Final = frozenset(
    {Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL, Operator.NOT_EQUAL}
)


def _same(test: pl.Expr) -> _Verdict:
    test = test.fill_null(value=False)
    return _Verdict(test, test)


def _compared(number: pl.Expr, operator: Operator, wanted: float) -> pl.Expr:
    match operator:
        case Operator.LESS:
            return number < wanted
        case Operator.LESS_EQUAL:
            return number <= wanted
        case Operator.GREATER:
            return number > wanted
        case Operator.GREATER_EQUAL:
            return number >= wanted
    return number != wanted


def _literal(text: pl.Expr, clause: Clause, values: Sequence[str]) -> pl.Expr:
    if not clause.is_cased:
        text, values = text.str.to_lowercase(), [value.lower() for value in values]
    match clause.operator:
        case Operator.EQUALS:
            return text == values[0] if len(values) == 1 else text.is_in(list(values))
        case Operator.STARTS:
            return pl.any_horizontal(text.str.starts_with(value) for value in values)
        case Operator.ENDS:
            return pl.any_horizontal(text.str.ends_with(value) for value in values)
    if len(values) == 1:
        return text.str.contains(values[0], literal=True)
    return text.str.contains_any(list(values)) if all(values) else text.is_not_null()


_TOKEN: Final = re.compile(
    r"(?P<escape>\\(?:[pP](?:\{[^}]*\}|[A-Za-z])|x(?:\{[^}]*\}|[0-9A-Fa-f]{2})|.))|(?P<posix>\[:\^?\w+:\])"
    r"|(?P<open>\[\^?\]?)|(?P<close>\])|(?P<set>&&|--|~~)",
    re.DOTALL,
)
_CLASSES: Final = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_BOUNDS: Final = {"b": r"(?-u:\b)"}
_SAME_IN_BOTH: Final = frozenset("AztnrfvaxpP")


def for_columns(pattern: str) -> str | None:
    """An expression of RE2, whose classes are ASCII, in the words of the column engine; None where it has none."""
    is_class = False
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        parts.append(pattern[end : token.start()])
        end = token.end()
        said: str | None = token[0]
        match token.lastgroup:
            case "escape":
                said = _escape(token[0], is_class=is_class)
            case "open" if is_class:
                said = None
            case "open":
                is_class = True
            case "close":
                is_class = False
            case "posix":
                said = token[0] if is_class else None
            case _:
                said = None if is_class else token[0]
        if said is None:
            return None
        parts.append(said)
    expression = "".join([*parts, pattern[end:]])
    try:
        pl.Series([""]).str.contains(expression)
    except PolarsError:
        return None
    return expression


def _escape(text: str, *, is_class: bool) -> str | None:
    letter = text[1]
    if letter in _CLASSES:
        return _CLASSES[letter] if is_class else f"[{_CLASSES[letter]}]"
    if letter.lower() in _CLASSES:
        return None if is_class else f"[^{_CLASSES[letter.lower()]}]"
    if letter in _BOUNDS:
        return None if is_class else _BOUNDS[letter]
    if letter in _SAME_IN_BOTH or (not letter.isalnum() and letter not in "<>"):
        return text
    return None
