"""The Polars reading of a query."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from typing import Final

import polars as pl

from vedette.model.query.patterns import network_regex, pieces
from vedette.model.query.tree import (
    LOOKED_AT,
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
    Operator,
    Or,
    Query,
    Value,
    Wildcard,
)
from vedette.model.query.values import NUMBER, json_number

_COMPARE: Final[dict[Operator, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    Operator.LESS: pl.Expr.lt,
    Operator.AT_MOST: pl.Expr.le,
    Operator.MORE: pl.Expr.gt,
    Operator.AT_LEAST: pl.Expr.ge,
}


def mask(query: Query) -> pl.Expr:
    """A boolean expression, never null, over a frame with EVENT_SCHEMA. Several masks evaluated in one `select`
    share what they have in common."""
    return _read(query.tree)


def fold(text: pl.Expr) -> pl.Expr:
    """Text made comparable without regard to case, one character for one: `İ` is `i`, `Σ` is `σ` wherever it
    stands, and nothing grows or shrinks (`ß` stays)."""
    return text.str.replace_all("İ", "i", literal=True).str.replace_all("Σ", "σ", literal=True).str.to_lowercase()


def folded(text: str) -> str:
    """`fold` of one text."""
    return str(pl.select(fold(pl.lit(text))).item())


def pattern_regex(pattern: str) -> str:
    """The regular expression of a wildcard pattern, already folded."""
    parts = [".*" if piece is None else "." if piece == "" else re.escape(folded(piece)) for piece in pieces(pattern)]
    return "(?s)^" + "".join(parts) + "$"


def _read(node: Node) -> pl.Expr:
    match node:
        case And(terms):
            return reduce(and_, [_read(term) for term in terms])
        case Or(terms):
            return reduce(or_, [_read(term) for term in terms])
        case Not(term):
            return ~_read(term)
        case All():
            return pl.lit(True)
        case Exists(field):
            return value_of(field).is_not_null()
        case _:
            return _leaf(node).fill_null(False)


def _leaf(node: Equals | Contains | Wildcard | Compare | Cidr) -> pl.Expr:
    match node:
        case Equals(field, str(value)):
            return _equals(field, value)
        case Equals(field, value):
            return value_of(field) == value
        case Contains(field, part):
            return fold(_text(field)).str.contains(folded(part), literal=True)
        case Wildcard(field, pattern):
            return _fits(fold(_text(field)), pattern)
        case Compare(field, operator, value):
            return _COMPARE[operator](_number(field), _literal(value))
        case Cidr(field, network):
            return _text(field).str.contains(network_regex(network))


def _equals(field: Field, value: str) -> pl.Expr:
    same = fold(_text(field)) == folded(value)
    number = json_number(value) if field.kind is Kind.JSON else None
    return same if number is None else same.fill_null(False) | (_number(field) == float(number)).fill_null(False)


def _fits(text: pl.Expr, pattern: str) -> pl.Expr:
    match list(pieces(pattern)):
        case [str(literal), None] if literal:
            return text.str.starts_with(folded(literal))
        case [None, str(literal)] if literal:
            return text.str.head(LOOKED_AT).str.ends_with(folded(literal))
        case [None, str(literal), None] if literal:
            return text.str.contains(folded(literal), literal=True)
        case _:
            return text.str.head(LOOKED_AT).str.contains(pattern_regex(pattern))


def _literal(value: Value) -> pl.Expr:
    return pl.lit(float(value)) if isinstance(value, float) else pl.lit(value)


def value_of(field: Field) -> pl.Expr:
    """The field's value in its own type; JSON fields as text."""
    return _json(field.name) if field.kind is Kind.JSON else pl.col(field.name)


def _text(field: Field) -> pl.Expr:
    """The field as text; a list or an object within a JSON field is its compact JSON."""
    column = value_of(field)
    return column.cast(pl.String) if field.kind is Kind.NUMBER else column


def _number(field: Field) -> pl.Expr:
    if field.kind is not Kind.JSON:
        return pl.col(field.name)
    value = _json(field.name)
    return (
        pl.when(value.str.contains(f"^(?:{NUMBER.pattern})$".replace(r"\d", "[0-9]")))
        .then(value)
        .cast(pl.Float64, strict=False)
    )


def _json(key: str) -> pl.Expr:
    """The value under the key as written, else at the dotted path."""
    fields = pl.when(pl.col("fields").str.len_chars() <= LOOKED_AT).then("fields")
    whole = fields.str.json_path_match(f"$['{key}']")
    if "." not in key:
        return whole
    path = "".join(f"['{part}']" for part in key.split("."))
    return pl.coalesce(whole, fields.str.json_path_match(f"${path}"))
