"""What a line must begin with to fit an expression: most formats are ruled out by a line's first characters."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final, TypeAlias

OTHER: Final = "\x80"
"""Stands for every character beyond ASCII."""

DEPTH: Final = 28
"""So many characters are looked at: a stamp, and what is behind it."""

ANY: Final = frozenset(map(chr, range(128))) | {OTHER}

Opening: TypeAlias = tuple[frozenset[str], ...]
"""The characters that may stand at each of the first DEPTH places of a line, where the line is so long."""

ANYTHING: Final[Opening] = (ANY,) * DEPTH
_SPACE: Final = frozenset("\t\n\v\f\r ") | {OTHER}
_DIGITS: Final = frozenset(string.digits)
_WORD: Final = frozenset(string.ascii_letters + string.digits + "_") | {OTHER}
_CLASSES: Final = {
    "d": _DIGITS, "D": ANY - _DIGITS, "w": _WORD, "W": (ANY - _WORD) | {OTHER}, "s": _SPACE, "S": (ANY - _SPACE) | {OTHER},
}  # fmt: skip
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_ZERO_WIDTH: Final = "bBAzZG<>"

_Places: TypeAlias = frozenset[int]
_Walk: TypeAlias = Callable[[_Places, list[set[str]]], _Places]
"""From the places where something may begin to those behind it; notes what may stand there. Those beyond DEPTH are left
out."""


def opening(pattern: str) -> Opening:
    """What all texts that the Rust expression may match begin with (OTHER for characters beyond ASCII).

    Rather too much than too little: an expression that is not anchored, may match nothing, or says what is not
    understood here, may begin with anything.
    """
    try:
        reader = _Reader(pattern)
        walk, is_anchored = reader.alternatives(is_caseless=False)
        reader.expect_end()
    except (_Unknown, IndexError, ValueError):
        return ANYTHING
    seen: list[set[str]] = [set() for _ in range(DEPTH)]
    ends = walk(frozenset({0}), seen)
    if not is_anchored or 0 in ends:
        return ANYTHING
    first_end = min(ends, default=DEPTH)
    return tuple(ANY if place >= first_end else shared(frozenset(letters)) for place, letters in enumerate(seen))


def any_of(openings: Iterable[Opening]) -> Opening:
    """What begins like one of them."""
    return tuple(shared(frozenset[str]().union(*letters)) for letters in zip(*openings, strict=True))


def all_of(first: Opening, second: Opening) -> Opening:
    """What begins like both."""
    return tuple(shared(one & other) for one, other in zip(first, second, strict=True))


@lru_cache(maxsize=4096)
def shared(letters: frozenset[str]) -> frozenset[str]:
    """The one object for these characters: a set takes up to 8 kB, and thousands of places allow the same few."""
    return letters


class _Unknown(Exception):
    """Something in an expression that is not understood."""


class _Reader:
    """Reads an expression from left to right. What it returns: how a text goes through it, and is it anchored."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def expect_end(self) -> None:
        if self._at < len(self._text):
            raise _Unknown

    def alternatives(self, *, is_caseless: bool) -> tuple[_Walk, bool]:
        branches = [self._sequence(is_caseless=is_caseless)]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence(is_caseless=is_caseless))
        walks = [walk for walk, _ in branches]

        def walk(places: _Places, seen: list[set[str]]) -> _Places:
            return frozenset[int]().union(*(each(places, seen) for each in walks))

        return walks[0] if len(walks) == 1 else walk, all(is_anchored for _, is_anchored in branches)

    def _sequence(self, *, is_caseless: bool) -> tuple[_Walk, bool]:
        walks: list[_Walk] = []
        is_anchored = False
        while self._peek() not in ("", "|", ")"):
            if (flags := self._flags_alone()) is not None:
                is_caseless = is_caseless or flags
                continue
            item, item_is_anchored = self._item(is_caseless=is_caseless)
            is_anchored = is_anchored or (item_is_anchored and not walks)
            if item is not _stay:
                walks.append(item)

        def walk(places: _Places, seen: list[set[str]]) -> _Places:
            for each in walks:
                places = each(places, seen)
            return places

        return walk, is_anchored

    def _item(self, *, is_caseless: bool) -> tuple[_Walk, bool]:
        sign = self._next()
        is_anchored = False
        walk: _Walk
        if sign in "^$":
            return _stay, sign == "^"
        if sign == "(":
            is_caseless = self._group_flags() or is_caseless
            walk, is_anchored = self.alternatives(is_caseless=is_caseless)
            if self._next() != ")":
                raise _Unknown
        else:
            letters = self._letters(sign)
            if is_caseless:
                letters |= {one for letter in letters for one in (letter.lower(), letter.upper())}
            walk = _one_of(letters) if letters else _stay
        least, most = self._quantifier()
        return _repeated(walk, least, most), is_anchored and least > 0

    def _letters(self, sign: str) -> frozenset[str]:
        """What one character may be; nothing for what has no width."""
        if sign == "\\":
            return self._escape()
        if sign == "[":
            return self._class()
        return ANY if sign == "." else _character(sign)

    def _flags_alone(self) -> bool | None:
        """`(?s)` or `(?i)`: is it caseless from here on? None where no such flags stand."""
        end = self._text.find(")", self._at)
        inside = self._text[self._at + 2 : end] if self._text.startswith("(?", self._at) and end > 0 else ""
        if not inside or not set(inside) <= set("imsUux-"):
            return None
        self._at = end + 1
        return "i" in inside.partition("-")[0]

    def _group_flags(self) -> bool:
        if self._peek() != "?":
            return False
        if self._text.startswith("?P<", self._at):
            self._at = self._text.index(">", self._at) + 1
            return False
        end = self._text.index(":", self._at)
        flags = self._text[self._at + 1 : end]
        if not set(flags) <= set("imsUux-"):
            raise _Unknown
        self._at = end + 1
        return "i" in flags.partition("-")[0]

    def _escape(self) -> frozenset[str]:
        letter = self._next()
        if letter in _CLASSES:
            return _CLASSES[letter]
        if letter in _ZERO_WIDTH:
            return frozenset()
        if letter == "x":
            return _character(self._hexadecimal())
        if letter in _CONTROLS:
            return frozenset(_CONTROLS[letter])
        if letter.isalnum():
            raise _Unknown
        return _character(letter)

    def _class(self) -> frozenset[str]:
        is_negated = self._peek() == "^"
        self._at += is_negated
        members: set[str] = set()
        is_first = True
        while (sign := self._next()) != "]" or is_first:
            is_first = False
            if sign == "[" or (sign == "&" and self._peek() == "&"):
                raise _Unknown
            low = self._escape() if sign == "\\" else _character(sign)
            if self._peek() == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                high = self._next()
                last = self._escape() if high == "\\" else _character(high)
                start, end = ord(next(iter(low))), ord(next(iter(last)))
                members |= {chr(code) for code in range(start, end + 1)}
            else:
                members |= low
        return (ANY - members) | {OTHER} if is_negated else frozenset(members)

    def _hexadecimal(self) -> str:
        if self._peek() == "{":
            end = self._text.index("}", self._at)
            code, self._at = self._text[self._at + 1 : end], end + 1
        else:
            code, self._at = self._text[self._at : self._at + 2], self._at + 2
        return chr(int(code, 16))

    def _quantifier(self) -> tuple[int, int]:
        """How often what stands before may stand there at least and at most; beyond DEPTH all is the same."""
        least, most = 1, 1
        while (sign := self._peek()) and sign in "*?+{":
            self._at += 1
            if sign == "{":
                end = self._text.index("}", self._at)
                low, comma, high = self._text[self._at : end].partition(",")
                self._at = end + 1
                least *= int(low or "0")
                most *= int(high or DEPTH) if comma else int(low)
            elif sign == "?":
                least = 0
            else:
                least, most = least if sign == "+" else 0, DEPTH
        return min(least, DEPTH), min(most, DEPTH)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]


def _character(letter: str) -> frozenset[str]:
    return frozenset(letter if letter < OTHER else OTHER)


def _stay(places: _Places, seen: list[set[str]]) -> _Places:
    """Of no width."""
    return places


def _one_of(letters: frozenset[str]) -> _Walk:
    def walk(places: _Places, seen: list[set[str]]) -> _Places:
        for place in places:
            seen[place] |= letters
        return frozenset(place + 1 for place in places if place + 1 < DEPTH)

    return walk


def _repeated(walk: _Walk, least: int, most: int) -> _Walk:
    if (least, most) == (1, 1):
        return walk

    def walk_often(places: _Places, seen: list[set[str]]) -> _Places:
        reached = places if least == 0 else frozenset[int]()
        for count in range(1, most + 1):
            before = places
            places = walk(places, seen)
            if count >= least:
                if places <= reached and places == before:
                    break
                reached |= places
            if not places:
                break
        return reached

    return walk_often
