"""What a search or a live filter asks for: parsed once into data, read as a Polars mask or as SQL."""

from vedette.model.query.mask import fold, mask
from vedette.model.query.parser import parse_query
from vedette.model.query.tree import (
    MATCH_ALL,
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
    Wildcard,
    widened,
)

__all__ = [
    "MATCH_ALL",
    "All",
    "And",
    "Cidr",
    "Compare",
    "Contains",
    "Equals",
    "Exists",
    "Field",
    "Kind",
    "Node",
    "Not",
    "Operator",
    "Or",
    "Query",
    "Wildcard",
    "fold",
    "mask",
    "parse_query",
    "widened",
]
