"""From the text of a query to its tree.

The grammar, loosest binding first; white space between two terms means AND:

    either  = both {"OR" both}
    both    = term {["AND"] term}
    term    = ["NOT" | "-" | "!"] (group | clause | word)
    group   = "(" either ")"
    clause  = name operator value | name ":" "(" values joined like terms ")"
    word    = a "quoted phrase", or any run of characters: free text, looked for in `event.original`
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from vedette.model.events import COLUMN_BY_NAME
from vedette.model.query.clauses import ClauseReader
from vedette.model.query.patterns import has_wildcard, literal_text, normal
from vedette.model.query.reading import Reader, Word
from vedette.model.query.tree import (
    MATCH_ALL,
    ORIGINAL,
    All,
    Contains,
    Field,
    Kind,
    Node,
    Query,
    Wildcard,
    conjunction,
    disjunction,
    field_of,
    negation,
)
from vedette.model.query.values import near_name

MAX_DEPTH: Final = 50
MAX_TERMS: Final = 200

_TIME_WORDS: Final = {"since": ">=", "until": "<="}
_KNOWN: Final = [*COLUMN_BY_NAME, *_TIME_WORDS, "id", "event.id"]
_WRONG_OPERATORS: Final = {"=>": ">=", "=<": "<=", "==": ":", "<>": "!=", "=": ":"}


def parse_query(text: str, *, now: datetime) -> Query:
    """The query that a person typed. Relative times are resolved against `now`. Raises QueryError."""
    parser = _Parser(text, now)
    return Query(parser.query(), text) if text.strip() else Query(MATCH_ALL.tree, text)


class _Parser:
    def __init__(self, text: str, now: datetime) -> None:
        self._reader = Reader(text)
        self._clauses = ClauseReader(self._reader, now)
        self._terms = 0
        self._depth = 0

    def query(self) -> Node:
        if not self._reader.text.strip():
            return All()
        tree = self._either(self._plain)
        if not self._reader.at_end():
            raise self._reader.error("this `)` closes nothing; remove it or put the text in quotes")
        return tree

    def _either(self, leaf: Callable[[], Node]) -> Node:
        """Terms joined by OR; `leaf` reads what stands where a term is one."""
        branches = [self._both(leaf)]
        while self._reader.take_keyword("OR"):
            branches.append(self._both(leaf))
        return disjunction(branches) if len(branches) > 1 else branches[0]

    def _both(self, leaf: Callable[[], Node]) -> Node:
        terms = [self._term(leaf)]
        while True:
            self._reader.skip_space()
            if self._reader.take_keyword("AND"):
                terms.append(self._term(leaf))
            elif self._reader.at_end() or self._reader.next_is(")") or self._reader.peek_keyword() == "OR":
                return conjunction(terms)
            else:
                terms.append(self._term(leaf))

    def _term(self, leaf: Callable[[], Node]) -> Node:
        reader = self._reader
        reader.skip_space()
        if reader.at_end() or reader.next_is(")") or reader.peek_keyword() in ("AND", "OR"):
            raise reader.error("a term is missing here; write one, or put the word in quotes to look for it")
        if reader.take_keyword("NOT") or self._take_sign():
            with_not = self._nested(lambda: self._term(leaf))
            return negation(with_not)
        if reader.next_is("("):
            return self._nested(lambda: self._group(leaf))
        self._count_term()
        return leaf()

    def _take_sign(self) -> bool:
        """Step over `-` or `!` if it negates: something other than itself must follow at once."""
        text, at = self._reader.text, self._reader.position
        following = text[at + 1 : at + 2]
        if text[at] not in "-!" or not following or following.isspace() or following in "-!)=":
            return False
        self._reader.position += 1
        return True

    def _group(self, leaf: Callable[[], Node]) -> Node:
        start = self._reader.position
        self._reader.take("(")
        tree = self._either(leaf)
        if not self._reader.take(")"):
            raise self._reader.error(
                "the bracket opened here is never closed; add a `)`", start, self._reader.text + ")"
            )
        return tree

    def _nested(self, read: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._reader.error(f"brackets are nested deeper than {MAX_DEPTH}; simplify the query")
        tree = read()
        self._depth -= 1
        return tree

    def _count_term(self) -> None:
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise self._reader.error(f"the query has more than {MAX_TERMS} terms; shorten it")

    def _plain(self) -> Node:
        """A clause or free text."""
        return self._clause() or self._free_text(self._reader.word())

    def _clause(self) -> Node | None:
        """`name operator value` if that comes next."""
        reader = self._reader
        named = reader.peek_name()
        if not named:
            return None
        name, operator, value_at = named
        is_known = name in _KNOWN
        after = reader.text[value_at : value_at + 2]
        if not is_known and self._is_other_text(operator, after):
            return None
        if operator in _WRONG_OPERATORS:
            raise self._unknown_operator(name, operator, value_at)
        start, reader.position = reader.position, value_at
        if is_known or operator != ":":
            reader.skip_space()
        if reader.at_end() or reader.next_is(")"):
            raise reader.error(
                f"a value is missing after `{name}{operator}`; write one, or put the text in quotes to look for it",
                start,
            )
        return self._value_of(name, operator.lstrip(":") or ":", start)

    def _is_other_text(self, operator: str, after: str) -> bool:
        """True for what only looks like a clause: `Failed:`, `http://x`, `fe80::1`, `C:\\x`, `uid=0`."""
        if operator == "=":
            return True
        return operator == ":" and (not after or after[0].isspace() or after[0] in ":\\" or after == "//")

    def _unknown_operator(self, name: str, operator: str, value_at: int) -> Exception:
        at = value_at - len(operator)
        text = self._reader.text
        right = _WRONG_OPERATORS[operator]
        return self._reader.error(
            f"unknown operator `{operator}` after `{name}`; write `{right}`, or put the text in quotes to look for it",
            at,
            text[:at] + right + text[value_at:],
        )

    def _value_of(self, name: str, operator: str, start: int) -> Node:
        if name in _TIME_WORDS:
            if operator != ":":
                raise self._reader.error(f"`{name}` takes a `:`, as in `{name}:1h`", start)
            return self._clauses.leaf(field_of(COLUMN_BY_NAME["@timestamp"]), _TIME_WORDS[name], self._reader.word())
        if name in ("id", "event.id"):
            return self._clauses.event_id(operator, self._reader.word())
        field = self._field(name, start)
        if operator == ":" and self._reader.next_is("("):
            return self._nested(lambda: self._group(lambda: self._clauses.leaf(field, ":", self._reader.word())))
        return self._clauses.leaf(field, operator, self._reader.word())

    def _field(self, name: str, start: int) -> Field:
        if name in COLUMN_BY_NAME:
            return field_of(COLUMN_BY_NAME[name])
        if name.startswith("fields.") and len(name) > len("fields."):
            return Field(name.removeprefix("fields."), Kind.JSON)
        near = near_name(name, _KNOWN)
        if near:
            text = self._reader.text
            raise self._reader.error(
                f"unknown field `{name}`, did you mean `{near}`? (`fields.{name}` reads it from the other fields)",
                start,
                text[:start] + near + text[start + len(name) :],
            )
        return Field(name, Kind.JSON)

    def _free_text(self, word: Word) -> Node:
        if word.is_quoted:
            return Contains(ORIGINAL, word.text) if word.text else All()
        if not word.text.strip("*"):
            return All()
        if has_wildcard(word.text):
            return Wildcard(ORIGINAL, normal(f"*{word.text}*"))
        return Contains(ORIGINAL, literal_text(word.text))
