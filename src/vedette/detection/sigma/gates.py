"""Conditions as column expressions: for many events at once it is told which surely fulfil a condition and which may.

Columns answer most clauses for all events together; what only `fields` can answer, or a regular expression that the
column engine reads in another way, stays open, and the record itself is asked.

What is the same for all of the events (a column that is empty, a category that is one) is settled before any of them is
looked at, and the expressions are made for what is left.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, reduce
from operator import and_, or_
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from vedette.detection.sigma.expressions import MAX_LOOKED_AT, Check, PlacesOf, check_of
from vedette.detection.sigma.fields import URL_PARTS, WHOLLY_TAKEN_APART, Record
from vedette.detection.sigma.logsources import KIND_COLUMNS
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, Node, Not, Operator
from vedette.detection.sigma.triggers import PRINTABLE, needed_literals
from vedette.model.events import EVENT_SCHEMA

_LITERAL: Final = frozenset({Operator.EQUALS, Operator.STARTS, Operator.ENDS, Operator.CONTAINS})
_SURE: Final = "sure"
_MAY: Final = "may"
_SMALL: Final = "small:"
"""Before a column's name: the same in small letters."""
_HELD: Final = "held|"
"""Before a network and a column's name: whether its address is in the network."""
_MOST_PARTS: Final = 400
"""Clauses that one expression may have."""
_MOST_VARIANTS: Final = 8
"""Expressions for one condition, each for what it found to be the same for all events."""
_ESCAPE_MARK: Final = "\\"

Question = tuple[str, str]
"""What is asked about all events at once: `presence`, `constant` or `says`, and of which column or word."""
Answer = str | bool | None


class GateEvents:
    """Events that many gates look at: texts in small letters are made once, and so is what holds for all of them."""

    def __init__(self, events: pl.DataFrame) -> None:
        self._events = events
        self._columns: dict[str, pl.Series] = {}
        self._answers: dict[Question, Answer] = {}
        self.height = events.height

    def answer(self, question: Question) -> Answer:
        """`presence`: whether all events have a value in the column; None where some have. `constant`: the text that all
        have. `says`: whether the word stands in small letters in some `fields`."""
        if question not in self._answers:
            about, name = question
            self._answers[question] = getattr(self, f"_{about}")(name)
        return self._answers[question]

    def frame(self, names: Iterable[str], places: pl.Series | None) -> pl.DataFrame:
        columns = [self.column(name) for name in names]
        return pl.DataFrame(columns if places is None else [one.gather(places) for one in columns])

    def column(self, name: str) -> pl.Series:
        known = self._columns.get(name)
        if known is None:
            if name.startswith(_HELD):
                known = self._held(name)
            elif name.startswith(_SMALL):
                texts = self._events[name.removeprefix(_SMALL)].cast(pl.String)
                known = texts.str.to_lowercase().alias(name)
            else:
                known = self._events[name]
            self._columns[name] = known
        return known

    def _held(self, name: str) -> pl.Series:
        """Whether the value is in the network, asked once for each."""
        _, network, column = name.split("|")
        values = self._events[column].cast(pl.String)
        distinct = values.unique()
        verdicts = [one is not None and _is_in(one, network) for one in distinct]
        if not any(verdicts) or all(verdicts):
            return pl.repeat(value=verdicts[0], n=self.height, dtype=pl.Boolean, eager=True).alias(name)
        return values.is_in(distinct.filter(pl.Series(verdicts))).fill_null(value=False).alias(name)

    def _presence(self, column: str) -> bool | None:
        missing = self._events[column].null_count()
        return True if missing == 0 else False if missing == self.height else None

    def _constant(self, column: str) -> str | None:
        texts = self._events[column]
        if texts.null_count() or self.height == 0:
            return None
        return texts[0] if (texts == texts[0]).all() else None

    def _says(self, word: str) -> bool:
        if self.answer(("presence", "fields")) is False:
            return False
        return bool(self.column(f"{_SMALL}fields").str.contains(word, literal=True).any())


class Gate:
    """A rule's condition in columns."""

    def __init__(self, condition: Node, places_of: PlacesOf) -> None:
        """Raises ValueError where the condition is too large for an expression."""
        self._condition = condition
        self._places_of = places_of
        self._variants: list[_Variant] = []
        self._general = self._variant(lambda _: None)

    def sift(self, events: GateEvents, places: pl.Series | None = None) -> tuple[pl.Series, pl.Series]:
        """For each event, or each at `places`: does it surely fulfil the condition, and has its record to be asked?"""
        height = events.height if places is None else places.len()
        variant = self._fitting(events)
        if variant.rough is None:
            return variant.told(events, places, height)
        rows = _series(variant.rough, events, places, height).arg_true()
        if rows.is_empty():
            return _all(height, value=False), _all(height, value=False)
        chosen = rows if places is None else places.gather(rows)
        sure, is_open = variant.told(events, chosen, rows.len())
        return _at(rows.filter(sure), height), _at(rows.filter(is_open), height)

    def _fitting(self, events: GateEvents) -> _Variant:
        """The expressions that were made for events like these."""
        for variant in self._variants:
            if all(events.answer(question) == answer for question, answer in variant.relied_on.items()):
                return variant
        if len(self._variants) >= _MOST_VARIANTS:
            return self._general
        made = self._variant(events.answer)
        self._variants.append(made)
        return made

    def _variant(self, answer: Callable[[Question], Answer]) -> _Variant:
        relied_on: dict[Question, Answer] = {}

        def ask(question: Question) -> Answer:
            relied_on[question] = answer(question)
            return relied_on[question]

        verdict = _Builder(self._places_of, ask).verdict(self._condition)
        literally = _Builder(self._places_of, ask, literally=True)
        rough = literally.verdict(self._condition).may
        return _Variant(relied_on, verdict.sure, verdict.may, rough if literally.has_patterns else None)


@dataclass(frozen=True, slots=True)
class _Variant:
    """`relied_on`: what was taken for granted."""

    relied_on: dict[Question, Answer]
    sure: Truth
    may: Truth
    rough: Truth | None

    def told(self, events: GateEvents, places: pl.Series | None, height: int) -> tuple[pl.Series, pl.Series]:
        may = _series(self.may, events, places, height)
        if self.sure is self.may:
            return may, _all(height, value=False)
        if not may.any():
            return may, may
        sure = _series(self.sure, events, places, height)
        return sure, may & ~sure


def _series(truth: Truth, events: GateEvents, places: pl.Series | None, height: int) -> pl.Series:
    if isinstance(truth, bool):
        return _all(height, value=truth)
    return events.frame(dict.fromkeys(truth.meta.root_names()), places).select(truth.alias("told")).to_series()


def _all(height: int, *, value: bool) -> pl.Series:
    return pl.repeat(value=value, n=height, dtype=pl.Boolean, eager=True)


def _at(rows: pl.Series, height: int) -> pl.Series:
    """True at these rows."""
    return _all(height, value=False).scatter(rows, values=True)


Truth = pl.Expr | bool
"""Never null."""


def _and(truths: Iterable[Truth]) -> Truth:
    left = [one for one in truths if one is not True]
    if any(one is False for one in left):
        return False
    return reduce(and_, left) if left else True


def _or(truths: Iterable[Truth]) -> Truth:
    left = [one for one in truths if one is not False]
    if any(one is True for one in left):
        return True
    return reduce(or_, left) if left else False


def _not(truth: Truth) -> Truth:
    return not truth if isinstance(truth, bool) else ~truth


def _chosen(is_first: pl.Expr, first: Truth, other: Truth) -> Truth:
    if first is other:
        return first
    return pl.when(is_first).then(_said(first)).otherwise(_said(other))


def _said(truth: Truth) -> pl.Expr:
    return pl.lit(value=truth) if isinstance(truth, bool) else truth


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What is sure may be."""

    sure: Truth
    may: Truth


_YES: Final = _Verdict(sure=True, may=True)
_NO: Final = _Verdict(sure=False, may=False)
_OPEN: Final = _Verdict(sure=False, may=True)
_FOLDS_BEYOND_ASCII: Final = re.compile(r"\(\?[a-z]*i(?s:.*)s")
"""Where case does not matter an `s` may be written U+017F, which small letters leave as it is."""


class _Builder:
    """`ask` answers what holds for all events, None where that is not known. `literally`: of patterns, too, only literals
    that must stand in the text are looked for."""

    def __init__(self, places_of: PlacesOf, ask: Callable[[Question], Answer], *, literally: bool = False) -> None:
        self._places_of = places_of
        self._ask = ask
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
                if inner.sure is inner.may:
                    return _same(_not(inner.may))
                return _Verdict(_not(inner.may), _not(inner.sure))
            case AllOf(members):
                return _joined(_and, [self.verdict(one) for one in members])
            case AnyOf(members):
                return _joined(_or, self._any(members))

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
            return _NO
        if clause.field is None:
            return self._keyword(clause, values)
        return self._at(self._places_of(clause.field), clause, values)

    def _at(self, places: Sequence[str], clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """The value stands at the first place that has one: in the column, in `fields`, in the next column …"""
        if not places:
            return _nothing(clause)
        first, *others = places
        if first in URL_PARTS:
            return self._in_url(first, others, clause, values)
        if first not in EVENT_SCHEMA:
            return self._absent(first, others, clause, values)
        is_present = self._ask(("presence", first))
        if is_present is False:
            return self._absent(first, others, clause, values)
        if is_present is True:
            return self._present(first, clause, values)
        present, absent = self._present(first, clause, values), self._absent(first, others, clause, values)
        stands = pl.col(first).is_not_null()
        may = _chosen(stands, present.may, absent.may)
        if present.sure is present.may and absent.sure is absent.may:
            return _same(may)
        return _Verdict(_chosen(stands, present.sure, absent.sure), may)

    def _absent(self, name: str, others: Sequence[str], clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """Where the column has no value, or is none."""
        beyond = self._at(others, clause, values)
        may_be = self._may_be_in_fields(name)
        if may_be is False:
            return beyond
        return _Verdict(_and([_not(may_be), beyond.sure]), _or([may_be, beyond.may]))

    def _in_url(self, part: str, others: Sequence[str], clause: Clause, values: tuple[str, ...]) -> _Verdict:
        is_present = self._ask(("presence", "url.original"))
        if is_present is False:
            return self._absent(part, others, clause, values)
        url, may_be = pl.col("url.original"), self._may_be_in_fields(part)
        beyond = self._at(others, clause, values)
        stands: Truth = url.is_not_null()
        if clause.operator in _LITERAL and all(values):
            stands = self._literal("url.original", _containing(clause, clause.value), values).fill_null(value=False)
        return _Verdict(_and([url.is_null(), _not(may_be), beyond.sure]), _or([stands, may_be, beyond.may]))

    def _present(self, column: str, clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """Where the column has a value."""
        if isinstance(EVENT_SCHEMA[column], pl.Datetime):
            return _OPEN
        if column in KIND_COLUMNS and isinstance(constant := self._ask(("constant", column)), str):
            return _YES if _holds_for(constant, clause, values) else _NO
        match clause.operator:
            case Operator.IS_NULL:
                return _same((_text(column) == "").fill_null(value=False))
            case Operator.EXISTS:
                return _YES if clause.value == "true" else _NO
            case Operator.CIDR:
                return _same(pl.col(f"{_HELD}{clause.value}|{column}"))
            case Operator.LIKE | Operator.REGEX:
                return self._pattern(column, clause)
            case operator if operator in _LITERAL:
                return _same(self._literal(column, clause, values).fill_null(value=False))
            case operator if operator in _NUMBERS and EVENT_SCHEMA[column].is_integer():
                return _same(_compared(pl.col(column), operator, float(clause.value)).fill_null(value=False))
        return _OPEN

    def _literal(self, column: str, clause: Clause, values: Sequence[str]) -> pl.Expr:
        if clause.is_cased:
            return _literal(_text(column), clause.operator, values)
        return _literal(pl.col(f"{_SMALL}{column}"), clause.operator, [value.lower() for value in values])

    def _pattern(self, column: str, clause: Clause) -> _Verdict:
        self.has_patterns = True
        if self._literally and (literals := _needed(clause)):
            stands = self._literal(column, _containing(clause, ""), sorted(literals))
            return _Verdict(sure=False, may=stands.fill_null(value=False))
        expression = for_columns(clause.value)
        if expression is None:
            return _OPEN
        is_small = clause.operator is Operator.LIKE and not clause.is_cased
        text = pl.col(f"{_SMALL}{column}") if is_small else _text(column)
        is_short = (text.str.len_bytes() <= MAX_LOOKED_AT).fill_null(value=True)
        found = text.str.contains(expression).fill_null(value=False)
        return _Verdict(found & is_short, found | ~is_short)

    def _keyword(self, clause: Clause, values: tuple[str, ...]) -> _Verdict:
        """Looked for in the record as read, in its message and in every value of `fields`; where these are all there is to
        the record, in the values alone."""
        told: list[_Verdict] = []
        for column in ("event.original", "message"):
            if self._ask(("presence", column)) is False:
                continue
            is_text = (pl.col(column) != "").fill_null(value=False)
            if clause.operator in _LITERAL:
                one = _same(self._literal(column, clause, values).fill_null(value=False))
            elif clause.operator in {Operator.LIKE, Operator.REGEX}:
                one = self._pattern(column, clause)
            else:
                return _OPEN
            told.append(_Verdict(_and([is_text, one.sure]), _and([is_text, one.may])))
        if self._ask(("presence", "fields")) is False:
            return _joined(_or, told)
        literals = values if clause.operator in _LITERAL else _needed(clause)
        in_fields: Truth = pl.col("fields").is_not_null()
        if literals:
            said = self._literal("fields", replace(clause, operator=Operator.CONTAINS), sorted(literals))
            escaped: Truth = False
            if self._ask(("says", _ESCAPE_MARK)) is not False:
                escaped = pl.col("fields").str.contains(_ESCAPE_MARK, literal=True).fill_null(value=False)
            in_fields = _or([said.fill_null(value=False), escaped])
        is_looked_at = _not(self._is_taken_apart())
        return _Verdict(
            _and([_or(one.sure for one in told), is_looked_at]), _or([*(one.may for one in told), in_fields])
        )

    def _is_taken_apart(self) -> Truth:
        """Whether the values are all there is to the record."""
        if isinstance(constant := self._ask(("constant", "log.format")), str):
            return constant.rpartition("/")[2] == WHOLLY_TAKEN_APART
        name = pl.col("log.format")
        return ((name == WHOLLY_TAKEN_APART) | name.str.ends_with(f"/{WHOLLY_TAKEN_APART}")).fill_null(value=False)

    def _may_be_in_fields(self, name: str) -> Truth:
        """Whether `fields` may have a member of that name, in any case and however deep: its words stand there."""
        if self._ask(("presence", "fields")) is False:
            return False
        words = sorted({word for word in re.split(r"[^a-z0-9]+", name.lower()) if word}, key=len, reverse=True)
        if not words:
            return pl.col("fields").is_not_null()
        text = pl.col(f"{_SMALL}fields")
        said: list[Truth] = []
        for word in words:
            if self._ask(("says", word)) is False:
                said = [False]
                break
            said.append(text.str.contains(word, literal=True).fill_null(value=False))
        escaped: Truth = False
        if self._ask(("says", f"{_ESCAPE_MARK}u")) is not False:
            escaped = text.str.contains(f"{_ESCAPE_MARK}u", literal=True).fill_null(value=False)
        return _or([_and(said), escaped])


def _text(column: str) -> pl.Expr:
    return pl.col(column) if EVENT_SCHEMA[column] == pl.String else pl.col(column).cast(pl.String)


def _joined(join: Callable[[Iterable[Truth]], Truth], told: Sequence[_Verdict]) -> _Verdict:
    may = join(one.may for one in told)
    if all(one.sure is one.may for one in told):
        return _same(may)
    return _Verdict(join(one.sure for one in told), may)


@lru_cache(maxsize=256)
def _network_check(network: str) -> Check:
    return check_of(Clause("", Operator.CIDR, network, ""), lambda _: _ALONE)


def _is_in(address: str, network: str) -> bool:
    return _network_check(network)(Record.of({_ALONE: (address,)}))


def _holds_for(text: str, clause: Clause, values: Sequence[str]) -> bool:
    """Whether the clause, with any of the values, holds for the text."""
    record = Record.of({_ALONE: (text,)})
    return any(check_of(replace(clause, value=value), lambda _: _ALONE)(record) for value in values)


_ALONE: Final = ("value",)


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
    return _YES if holds else _NO


_NUMBERS: Final = frozenset(
    {Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL, Operator.NOT_EQUAL}
)


def _same(truth: Truth) -> _Verdict:
    return _Verdict(truth, truth)


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


def _literal(text: pl.Expr, operator: Operator, values: Sequence[str]) -> pl.Expr:
    match operator:
        case Operator.EQUALS:
            return text == values[0] if len(values) == 1 else text.is_in(list(values))
        case Operator.STARTS:
            return reduce(or_, (text.str.starts_with(value) for value in values))
        case Operator.ENDS:
            return reduce(or_, (text.str.ends_with(value) for value in values))
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
