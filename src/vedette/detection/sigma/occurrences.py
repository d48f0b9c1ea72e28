"""Sigma's extended conditions of correlations: `(a or b) and not c`, over the rules they refer to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from vedette.detection.sigma.rules import AllOccur, AnyOccurs, Occurrence, Occurs, OccursNot

_TOKEN: Final = re.compile(r"\s*([()]|[^\s()]+)")
_MAX_LENGTH: Final = 10_000
_MAX_DEPTH: Final = 20
_WORDS: Final = ("and", "or", "not")


class OccurrenceFault(Exception):
    """Why a condition cannot be read."""


def occurrence_of(text: str) -> Occurrence:
    """The condition as a tree; `not` binds closer than `and`, `and` than `or`. Raises OccurrenceFault."""
    if len(text) > _MAX_LENGTH:
        raise OccurrenceFault(f"it is longer than {_MAX_LENGTH} characters")
    reader = _Reader(_TOKEN.findall(text))
    tree = reader.any_of(0)
    if reader.token is not None:
        raise OccurrenceFault(f"{reader.token!r} stands where `and` or `or` should")
    return tree


def rules_in(tree: Occurrence) -> tuple[str, ...]:
    """The rules it speaks of, each once, in order."""
    match tree:
        case Occurs():
            return (tree.rule,)
        case OccursNot():
            return rules_in(tree.member)
        case AllOccur() | AnyOccurs():
            return tuple(dict.fromkeys(rule for member in tree.members for rule in rules_in(member)))


def with_ids(tree: Occurrence, names: Mapping[str, str]) -> Occurrence:
    """The same with ids for names (lower case to id)."""
    match tree:
        case Occurs():
            return Occurs(names.get(tree.rule.lower(), tree.rule))
        case OccursNot():
            return OccursNot(with_ids(tree.member, names))
        case AllOccur():
            return AllOccur(tuple(with_ids(member, names) for member in tree.members))
        case AnyOccurs():
            return AnyOccurs(tuple(with_ids(member, names) for member in tree.members))


class _Reader:
    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def token(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def any_of(self, depth: int) -> Occurrence:
        members = [self._all_of(depth)]
        while self._takes("or"):
            members.append(self._all_of(depth))
        return members[0] if len(members) == 1 else AnyOccurs(tuple(members))

    def _all_of(self, depth: int) -> Occurrence:
        members = [self._one(depth)]
        while self._takes("and"):
            members.append(self._one(depth))
        return members[0] if len(members) == 1 else AllOccur(tuple(members))

    def _one(self, depth: int) -> Occurrence:
        if depth > _MAX_DEPTH:
            raise OccurrenceFault("it is nested too deep")
        if self._takes("not"):
            return OccursNot(self._one(depth + 1))
        if self._takes("("):
            tree = self.any_of(depth + 1)
            if not self._takes(")"):
                raise OccurrenceFault("a bracket is not closed")
            return tree
        word = self.token
        if word is None or word == ")" or word.lower() in _WORDS:
            raise OccurrenceFault("a rule is missing " + ("at the end" if word is None else f"before {word!r}"))
        self._at += 1
        return Occurs(word)

    def _takes(self, word: str) -> bool:
        token = self.token
        if token is None or token.lower() != word:
            return False
        self._at += 1
        return True
