"""One clause: what `field operator value` means for each kind of field."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from vedette.model.errors import QueryError
from vedette.model.events import COLUMN_BY_NAME, LEVELS, place_of
from vedette.model.query.patterns import has_wildcard, literal_text, normal
from vedette.model.query.reading import Reader, Word
from vedette.model.query.tree import (
    All,
    Cidr,
    Compare,
    Contains,
    Equals,
    Exists,
    Field,
    Kind,
    Node,
    Operator,
    Wildcard,
    conjunction,
    disjunction,
    field_of,
    negation,
)
from vedette.model.query.values import (
    address,
    json_number,
    near_severity,
    network,
    severity_range,
    time_span,
    whole_number,
)

_COMPARISONS: Final = {operator.value: operator for operator in Operator}


class ClauseReader:
    """Turns values into leaves; the reader is there to point at mistakes."""

    def __init__(self, reader: Reader, now: datetime) -> None:
        self._reader = reader
        self._now = now

    def leaf(self, field: Field, operator: str, word: Word) -> Node:
        """The meaning of one clause. `operator` is one of : != > >= < <=."""
        if operator == "!=":
            return negation(self.leaf(field, ":", word))
        if operator == ":":
            return self._whole(field, word)
        low, high = self._bounds(field, word)
        match _COMPARISONS[operator]:
            case Operator.AT_LEAST:
                return self._compare(field, Operator.AT_LEAST, low)
            case Operator.LESS:
                return self._compare(field, Operator.LESS, low)
            case Operator.MORE:
                return self._beyond(field, high)
            case Operator.AT_MOST:
                return self._up_to(field, high)

    def event_id(self, operator: str, word: Word) -> Node:
        """The clause `id:…`."""
        place = place_of(word.text)
        if place is None or operator not in (":", "!="):
            raise self._reader.error(
                f"`{word.text}` is no event id; an id is 16 hexadecimal digits, a dash and more digits", word.position
            )
        generation, offset = (field_of(COLUMN_BY_NAME[name]) for name in ("vedette.generation", "log.offset"))
        found = conjunction([Equals(generation, place[0]), Equals(offset, place[1])])
        return negation(found) if operator == "!=" else found

    def _whole(self, field: Field, word: Word) -> Node:
        """`field:value`."""
        if not word.is_quoted and word.text and not word.text.strip("*"):
            return Exists(field)
        if field.kind in (Kind.NUMBER, Kind.TIME, Kind.JSON) and ".." in word.text and not word.is_quoted:
            ranged = self._range(field, word)
            if ranged is not None:
                return ranged
        if field.kind is Kind.TIME or (field.kind is Kind.NUMBER and not self._is_pattern(word)):
            return self._between(field, *self._bounds(field, word))
        if self._is_pattern(word):
            pattern = f"*{word.text}*" if field.kind is Kind.PROSE else word.text
            return Wildcard(field, normal(pattern))
        text = word.text if word.is_quoted else literal_text(word.text)
        if field.kind is Kind.PROSE:
            return Contains(field, text) if text else Exists(field)
        if field.kind is Kind.IP:
            return self._address(field, text, word)
        return Equals(field, text)

    def _is_pattern(self, word: Word) -> bool:
        return not word.is_quoted and has_wildcard(word.text)

    def _address(self, field: Field, text: str, word: Word) -> Node:
        if "/" not in text:
            return Equals(field, address(text) or text)
        found = network(text)
        if found is None:
            raise self._reader.error(
                f"`{text}` is no network; write one like `10.0.0.0/8` or `2001:db8::/32`", word.position
            )
        return Cidr(field, found)

    def _range(self, field: Field, word: Word) -> Node | None:
        """`low..high`, both included; either may be missing. None when a JSON field's value is no such range."""
        first, _, last = word.text.partition("..")
        if field.kind is Kind.JSON and any(part and json_number(part) is None for part in (first, last)):
            return None
        if not first and not last:
            raise self._reader.error(f"`..` needs a bound on one side at least, as in `{field}:1..5`", word.position)
        behind = word.position + len(first) + 2
        low = self.leaf(field, ">=", Word(first, word.position)) if first else All()
        high = self.leaf(field, "<=", Word(last, behind)) if last else All()
        return conjunction([low, high])

    def _bounds(self, field: Field, word: Word) -> tuple[int | float | datetime | str, int | float | datetime | str]:
        """The smallest value that the word stands for, and the largest (for times: the first one behind it)."""
        if field.kind is Kind.TIME:
            return self._time(field, word)
        if field.kind is Kind.NUMBER:
            return self._number(field, word)
        if field.kind is Kind.JSON:
            number = json_number(word.text)
            if number is None:
                raise self._reader.error(f"`{field}` compares with numbers only: `{word.text}` is none", word.position)
            return number, number
        if field.name == "log.level":
            return self._level(word)
        raise self._reader.error(
            f"`{field}` is text and knows no order; use `{field}:value`, `{field}:start*` or `{field}!=value`",
            word.position,
        )

    def _time(self, field: Field, word: Word) -> tuple[datetime, datetime]:
        span = time_span(word.text, self._now)
        if span is None:
            raise self._reader.error(
                f"`{field}` is a time: `{word.text}` is none; write `2026-11-23T10:00Z`, `2026-11-23` or `-1h`",
                word.position,
            )
        return span

    def _number(self, field: Field, word: Word) -> tuple[int, int]:
        number = whole_number(word.text)
        if number is not None:
            return number, number
        if field.name != "event.severity":
            raise self._reader.error(f"`{field}` is a whole number: `{word.text}` is none", word.position)
        named = severity_range(word.text)
        if named is None:
            raise self._wrong_severity(word)
        return named

    def _wrong_severity(self, word: Word) -> QueryError:
        near = near_severity(word.text)
        guess = f", did you mean `{near}`?" if near else "; write 1-10, low, medium, high or critical"
        text = self._reader.text
        end = word.position + len(word.text) + 2 * word.is_quoted
        return self._reader.error(
            f"`severity` is a number or a name: `{word.text}` is neither{guess}",
            word.position,
            text[: word.position] + near + text[end:] if near else None,
        )

    def _level(self, word: Word) -> tuple[str, str]:
        level = word.text.lower()
        if level not in LEVELS:
            raise self._reader.error(f"`{word.text}` is no level; the levels are {', '.join(LEVELS)}", word.position)
        return level, level

    def _compare(self, field: Field, operator: Operator, value: int | float | datetime | str) -> Node:
        if not isinstance(value, str):
            return Compare(field, operator, value)
        at = LEVELS.index(value)
        levels = LEVELS[: at + 1] if operator is Operator.AT_LEAST else LEVELS[at + 1 :]
        return self._any_level(field, levels)

    def _beyond(self, field: Field, high: int | float | datetime | str) -> Node:
        """Greater than everything the value stands for."""
        if isinstance(high, str):
            return self._any_level(field, LEVELS[: LEVELS.index(high)])
        if isinstance(high, datetime):
            return Compare(field, Operator.AT_LEAST, high)
        return Compare(field, Operator.MORE, high)

    def _up_to(self, field: Field, high: int | float | datetime | str) -> Node:
        if isinstance(high, str):
            return self._any_level(field, LEVELS[LEVELS.index(high) :])
        if isinstance(high, datetime):
            return Compare(field, Operator.LESS, high)
        return Compare(field, Operator.AT_MOST, high)

    def _any_level(self, field: Field, levels: tuple[str, ...]) -> Node:
        return disjunction([Equals(field, level) for level in levels]) if levels else negation(All())

    def _between(self, field: Field, low: int | float | datetime | str, high: int | float | datetime | str) -> Node:
        if low == high and isinstance(low, int):
            return Equals(field, low)
        return conjunction([self._compare(field, Operator.AT_LEAST, low), self._up_to(field, high)])
