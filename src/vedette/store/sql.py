"""The SQL reading of a query: a condition with its parameters, never a value within the text.

It must agree with `vedette.model.query.mask` on every event; a property test compares them. Conditions use
three-valued logic as SQL does: null counts as false, and is made false where a `Not` would turn it round.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vedette.model.query import (
    All,
    And,
    Cidr,
    Compare,
    Contains,
    Equals,
    Exists,
    Field,
    Kind,
    Node,
    Not,
    Or,
    Query,
    Wildcard,
)
from vedette.model.query.mask import folded
from vedette.model.query.patterns import network_regex, pieces
from vedette.model.query.values import NUMBER, json_number

MESSAGE: Final = """coalesce("message", substr("event.original", "message_start" + 1))"""
"""`message` is stored as the place in the original where it begins, and as text only where it is no ending of it."""

_YOUNG_UPPER: Final = "".join(
    chr(code)
    for first, last in ((0x1C89, 0x1C89), (0xA7CB, 0xA7CC), (0xA7CE, 0xA7CE), (0xA7D2, 0xA7D2), (0xA7D4, 0xA7D4),
                        (0xA7DA, 0xA7DA), (0xA7DC, 0xA7DC), (0x10D50, 0x10D65), (0x16EA0, 0x16EB8))
    for code in range(first, last + 1)
)  # fmt: skip
_YOUNG_LOWER: Final = folded(_YOUNG_UPPER)
"""Letters too young for the database's tables: only a query that holds one of them pays for their folding."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Text for a WHERE clause, and the values of its question marks."""

    text: str
    parameters: tuple[Any, ...] = ()


def condition(query: Query, *, with_long_texts: bool = False) -> Condition:
    """True for exactly the rows that match; null or false for the others. `with_long_texts`: parts of texts are looked
    for in the table of the long ones too."""
    return _read(query.tree, with_long_texts)


def value_of(field: Field) -> Condition:
    """The field's value in its own type; JSON fields as text."""
    if field.kind is Kind.JSON:
        return _json(field.name)
    return Condition(MESSAGE if field.name == "message" else f'"{field.name}"')


def fold_sql(value: str, needle: str) -> str:
    """The value folded as far as comparing it with a folded needle requires."""
    lower = f"lower({value})"
    if any(sign in needle for sign in _YOUNG_LOWER):
        return f"translate({lower}, '{_YOUNG_UPPER}', '{_YOUNG_LOWER}')"
    return lower


def stored_time(time: datetime) -> datetime:
    """A time as the tables keep it: UTC without saying so."""
    return time.astimezone(UTC).replace(tzinfo=None)


def _read(node: Node, with_long_texts: bool) -> Condition:
    match node:
        case And(terms):
            return _joined(" AND ", terms, with_long_texts)
        case Or(terms):
            return _joined(" OR ", terms, with_long_texts)
        case Not(term):
            inner = _read(term, with_long_texts)
            return Condition(f"NOT coalesce({inner.text}, false)", inner.parameters)
        case All():
            return Condition("true")
        case Exists(field):
            value = value_of(field)
            return Condition(f"{value.text} IS NOT NULL", value.parameters)
        case Equals(field, str(text)):
            return _equals(field, text)
        case Equals(field, value):
            return _with(value_of(field), "{} = ?", _parameter(value))
        case Contains(field, part):
            return _contains(field, folded(part), with_long_texts)
        case Wildcard(field, pattern):
            return _fits(field, pattern, with_long_texts)
        case Compare(field, operator, value):
            return _with(_number(field), f"{{}} {operator.value} ?", _parameter(value))
        case Cidr(field, network):
            return _with(value_of(field), "regexp_matches({}, ?)", network_regex(network))


def _joined(word: str, terms: tuple[Node, ...], with_long_texts: bool) -> Condition:
    parts = [_read(term, with_long_texts) for term in terms]
    text = word.join(part.text for part in parts)
    return Condition(f"({text})", tuple(value for part in parts for value in part.parameters))


def _with(value: Condition, template: str, *parameters: object) -> Condition:
    return Condition(template.format(value.text), (*value.parameters, *parameters))


def _folded(field: Field, needle: str, template: str, parameter: str | None = None) -> Condition:
    value = _text(field)
    text = fold_sql(value.text, needle)
    return Condition(template.replace("{}", text), (*value.parameters, needle if parameter is None else parameter))


def _equals(field: Field, text: str) -> Condition:
    same = _folded(field, folded(text), "{} = ?")
    number = json_number(text) if field.kind is Kind.JSON else None
    if number is None:
        return same
    equal = _with(_number(field), "{} = ?", float(number))
    return Condition(f"({same.text} OR {equal.text})", same.parameters + equal.parameters)


def _contains(field: Field, needle: str, with_long_texts: bool) -> Condition:
    here = _folded(field, needle, "contains({}, ?)")
    if not with_long_texts or field.kind in (Kind.NUMBER, Kind.JSON):
        return here
    text = fold_sql('"text"', needle)
    long = f"""SELECT seq FROM long_texts WHERE name = ? AND contains({text}, ?)"""  # noqa: S608
    return Condition(f'({here.text} OR "vedette.seq" IN ({long}))', (*here.parameters, field.name, needle))


def _fits(field: Field, pattern: str, with_long_texts: bool) -> Condition:
    parts = [piece if piece is None else folded(piece) for piece in pieces(pattern)]
    match parts:
        case [str(literal), None] if literal:
            return _folded(field, literal, "starts_with({}, ?)")
        case [None, str(literal)] if literal:
            return _folded(field, literal, "suffix({}, ?)")
        case [None, str(literal), None] if literal:
            return _contains(field, literal, with_long_texts)
    like = "".join("%" if part is None else _like_literal(part) or "_" for part in parts)
    return _folded(field, like, "{} LIKE ? ESCAPE '\\'", like)


def _like_literal(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "\\%_" else sign for sign in text)


def _parameter(value: str | float | datetime) -> str | float | datetime:
    return stored_time(value) if isinstance(value, datetime) else value


def _text(field: Field) -> Condition:
    value = value_of(field)
    return Condition(f"CAST({value.text} AS VARCHAR)") if field.kind is Kind.NUMBER else value


def _number(field: Field) -> Condition:
    value = value_of(field)
    if field.kind is not Kind.JSON:
        return value
    text = f"CASE WHEN regexp_full_match({value.text}, ?) THEN TRY_CAST({value.text} AS DOUBLE) END"
    return Condition(text, (*value.parameters, NUMBER.pattern, *value.parameters))


def _json(key: str) -> Condition:
    """The value under the key as written, else at the dotted path."""
    paths = [f'$."{key}"']
    if "." in key:
        paths.append("$" + "".join(f'."{part}"' for part in key.split(".")))
    reads = ", ".join('json_extract_string("fields", ?)' for _ in paths)
    return Condition(f'CASE WHEN json_valid("fields") THEN coalesce({reads}) END', tuple(paths))
