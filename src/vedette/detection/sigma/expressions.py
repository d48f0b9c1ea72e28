"""Conditions as functions of one record."""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from vedette.detection.sigma.fields import Record
from vedette.detection.sigma.rules import AllOf, AnyOf, Clause, LogSource, Node, Not, Operator

Check = Callable[[Record], bool]
PlacesOf = Callable[[str], tuple[str, ...]]

MAX_LOOKED_AT: Final = 65_536
"""Characters of a value that patterns look at."""
_COMPARE: Final[dict[Operator, Callable[[float, float], bool]]] = {
    Operator.LESS: lambda value, wanted: value < wanted,
    Operator.LESS_EQUAL: lambda value, wanted: value <= wanted,
    Operator.GREATER: lambda value, wanted: value > wanted,
    Operator.GREATER_EQUAL: lambda value, wanted: value >= wanted,
}


def check_of(node: Node, places_of: PlacesOf) -> Check:
    """Whether a record fulfils the condition. Raises ValueError for what cannot be compiled. Parts that the tree
    shares are compiled once."""
    return _Compiler(places_of).check(node)


class _Compiler:
    def __init__(self, places_of: PlacesOf) -> None:
        self._places_of = places_of
        self._known: dict[int, Check] = {}

    def check(self, node: Node) -> Check:
        known = self._known.get(id(node))
        if known is None:
            known = self._known[id(node)] = self._compiled(node)
        return known

    def _compiled(self, node: Node) -> Check:
        match node:
            case Clause():
                return self._clause(node)
            case Not(member):
                return _negated(self.check(member))
            case AllOf(members):
                return _all_of([self.check(one) for one in members])
            case AnyOf(members):
                return _any_of([*self._grouped(members)])

    def _grouped(self, members: Sequence[Node]) -> Iterable[Check]:
        """Literals for the same field in one check, the rest one by one."""
        groups: dict[tuple[str | None, Operator, bool], list[str]] = {}
        others: list[Node] = []
        for one in members:
            if isinstance(one, Clause) and one.operator in _LITERAL:
                groups.setdefault((one.field, one.operator, one.is_cased), []).append(one.value)
            else:
                others.append(one)
        for (field, operator, is_cased), values in groups.items():
            yield _literal_check(self._texts_of(field, is_cased=is_cased), operator, values, is_cased=is_cased)
        for other in others:
            yield self.check(other)

    def _texts_of(self, field: str | None, *, is_cased: bool) -> Callable[[Record], tuple[str, ...]]:
        if field is None:
            return Record.texts if is_cased else Record.folded_texts
        places = self._places_of(field)
        if is_cased:
            return lambda record: record.values(places)
        return lambda record: record.folded(places)

    def _clause(self, clause: Clause) -> Check:
        if clause.operator in _LITERAL:
            texts = self._texts_of(clause.field, is_cased=clause.is_cased)
            return _literal_check(texts, clause.operator, [clause.value], is_cased=clause.is_cased)
        if clause.operator is Operator.NEVER:
            return lambda _: False
        if clause.operator in {Operator.LIKE, Operator.REGEX}:
            is_cased = clause.is_cased or clause.operator is Operator.REGEX
            return _pattern_check(self._texts_of(clause.field, is_cased=is_cased), clause.value)
        if clause.field is None:
            raise ValueError(f"{clause.text} needs a field")
        places = self._places_of(clause.field)
        match clause.operator:
            case Operator.IS_NULL:
                return lambda record: not any(record.values(places))
            case Operator.EXISTS:
                wanted = clause.value == "true"
                return lambda record: bool(record.values(places)) is wanted
            case Operator.CIDR:
                return _network_check(places, clause.value)
            case Operator.SAME_AS:
                return _reference_check(places, clause, self._places_of(clause.value.strip("*")))
            case Operator.TIME_PART:
                return _time_check(places, clause.value)
        return _number_check(places, clause.operator, float(clause.value))


_LITERAL: Final = frozenset({Operator.EQUALS, Operator.STARTS, Operator.ENDS, Operator.CONTAINS})


def _negated(check: Check) -> Check:
    return lambda record: not check(record)


def _all_of(checks: Sequence[Check]) -> Check:
    def holds(record: Record) -> bool:
        for check in checks:  # noqa: SIM110 - a third faster than all() over a generator
            if not check(record):
                return False
        return True

    return holds


def _any_of(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def holds(record: Record) -> bool:
        for check in checks:  # noqa: SIM110 - a third faster than any() over a generator
            if check(record):
                return True
        return False

    return holds


def _literal_check(
    texts: Callable[[Record], tuple[str, ...]], operator: Operator, literals: Sequence[str], *, is_cased: bool
) -> Check:
    wanted = tuple(literals) if is_cased else tuple(map(str.lower, literals))
    match operator:
        case Operator.EQUALS:
            words = frozenset(wanted)
            return lambda record: any(text in words for text in texts(record))
        case Operator.STARTS:
            return lambda record: any(text.startswith(wanted) for text in texts(record))
        case Operator.ENDS:
            return lambda record: any(text.endswith(wanted) for text in texts(record))
    if len(wanted) == 1:
        single = wanted[0]
        return lambda record: any(single in text for text in texts(record))
    return lambda record: any(literal in text for text in texts(record) for literal in wanted)


_MAX_ENGINE_BYTES: Final = 33_554_432
"""An expression, and what its engine remembers of texts."""


def pattern(expression: str) -> Any:
    """The compiled expression, linear in the text. Raises ValueError. The engine has no types."""
    import re2

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MAX_ENGINE_BYTES
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        raise ValueError(f"the regular expression {expression[:200]!r} is invalid: {error}") from error


def _pattern_check(texts: Callable[[Record], tuple[str, ...]], expression: str) -> Check:
    search = pattern(expression).search
    return lambda record: any(search(text[:MAX_LOOKED_AT]) is not None for text in texts(record))


def _network_check(places: tuple[str, ...], network: str) -> Check:
    wanted = ipaddress.ip_network(network)
    version = wanted.version

    def holds(record: Record) -> bool:
        for text in record.values(places):
            address = _address(text)
            if address is not None and address.version == version and address in wanted:
                return True
        return False

    return holds


@lru_cache(maxsize=16_384)
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address


def _reference_check(places: tuple[str, ...], clause: Clause, others: tuple[str, ...]) -> Check:
    may_precede, may_follow = clause.value.startswith("*"), clause.value.endswith("*")

    def holds(record: Record) -> bool:
        for text in record.folded(places):
            for other in record.folded(others):
                if may_precede and may_follow:
                    found = other in text
                elif may_precede:
                    found = text.endswith(other)
                else:
                    found = text.startswith(other) if may_follow else text == other
                if found:
                    return True
        return False

    return holds


def _number_check(places: tuple[str, ...], operator: Operator, wanted: float) -> Check:
    if operator is Operator.NOT_EQUAL:
        return lambda record: any(
            number is None or number != wanted for number in map(number_in, record.values(places))
        )
    compare = _COMPARE[operator]
    return lambda record: any(
        number is not None and compare(number, wanted) for number in map(number_in, record.values(places))
    )


def number_in(text: str) -> float | None:
    """The number a text is, decimal or hexadecimal; None where it is none."""
    if not text.isascii() or len(text) > 40 or "_" in text:
        return None
    try:
        number = float(int(text, 16)) if text[:2] in {"0x", "0X"} else float(text)
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _time_check(places: tuple[str, ...], wanted: str) -> Check:
    part, _, number = wanted.partition("=")
    read = _TIME_PARTS[part]
    return lambda record: any(
        moment is not None and read(moment) == int(number) for moment in map(_moment, record.values(places))
    )


_TIME_PARTS: Final[dict[str, Callable[[datetime], int]]] = {
    "minute": lambda moment: moment.minute,
    "hour": lambda moment: moment.hour,
    "day": lambda moment: moment.day,
    "week": lambda moment: moment.isocalendar().week,
    "month": lambda moment: moment.month,
    "year": lambda moment: moment.year,
}


def _moment(text: str) -> datetime | None:
    """ISO 8601, or seconds or milliseconds since 1970; in UTC."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        number = number_in(text)
        if number is None or not 0 < number < 1e13:
            return None
        moment = datetime.fromtimestamp(number / 1000 if number > 1e11 else number, UTC)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def places_in(logsource: LogSource) -> PlacesOf:
    """Where the fields of a rule of the logsource stand."""
    from vedette.detection.sigma.fields import field_map

    known = field_map()
    return lambda field: known.places(field, logsource)
