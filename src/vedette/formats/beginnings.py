"""What a line must begin with to fit an expression: most formats are ruled out by a line's first character."""

from __future__ import annotations

import string
from typing import Final

OTHER: Final = "\x80"
"""Stands for every character beyond ASCII."""

ANY: Final = frozenset(map(chr, range(128))) | {OTHER}
_SPACE: Final = frozenset("\t\n\v\f\r ") | {OTHER}
_DIGITS: Final = frozenset(string.digits)
_WORD: Final = frozenset(string.ascii_letters + string.digits + "_") | {OTHER}
_CLASSES: Final = {
    "d": _DIGITS, "D": ANY - _DIGITS, "w": _WORD, "W": (ANY - _WORD) | {OTHER}, "s": _SPACE, "S": (ANY - _SPACE) | {OTHER},
}  # fmt: skip
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_ZERO_WIDTH: Final = "bBAzZG<>"


def beginnings(pattern: str) -> frozenset[str]:
    """The first characters of all texts the Rust expression may match (OTHER for those beyond ASCII).

    Rather too many than too few: an expression that is not anchored, may match nothing, or says what is not
    understood here, may begin with anything.
    """
    try:
        reader = _Reader(pattern)
        first, may_be_empty, is_anchored = reader.alternatives(is_caseless=False)
        reader.expect_end()
    except (_Unknown, IndexError, ValueError):
        return ANY
    return first if is_anchored and not may_be_empty else ANY


class _Unknown(Exception):
    """Something in an expression that is not understood."""


class _Reader:
    """Reads an expression from left to right. What it returns: first characters, may it be empty, is it anchored."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def expect_end(self) -> None:
        if self._at < len(self._text):
            raise _Unknown

    def alternatives(self, *, is_caseless: bool) -> tuple[frozenset[str], bool, bool]:
        branches = [self._sequence(is_caseless=is_caseless)]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence(is_caseless=is_caseless))
        first = frozenset[str]().union(*(branch[0] for branch in branches))
        return first, any(branch[1] for branch in branches), all(branch[2] for branch in branches)

    def _sequence(self, *, is_caseless: bool) -> tuple[frozenset[str], bool, bool]:
        first: frozenset[str] = frozenset()
        may_be_empty, is_anchored = True, False
        while self._peek() not in ("", "|", ")"):
            if (flags := self._flags_alone()) is not None:
                is_caseless = is_caseless or flags
                continue
            item, item_may_be_empty, item_is_anchored = self._item(is_caseless=is_caseless)
            if may_be_empty:
                first |= item
                is_anchored = is_anchored or (item_is_anchored and not first - item)
            may_be_empty = may_be_empty and item_may_be_empty
        return first, may_be_empty, is_anchored

    def _item(self, *, is_caseless: bool) -> tuple[frozenset[str], bool, bool]:
        sign = self._next()
        is_anchored = False
        if sign in "^$":
            return frozenset(), True, sign == "^"
        if sign == "(":
            is_caseless = self._group_flags() or is_caseless
            first, may_be_empty, is_anchored = self.alternatives(is_caseless=is_caseless)
            if self._next() != ")":
                raise _Unknown
        elif sign == "\\":
            first = self._escape()
            may_be_empty = not first
        else:
            first = self._class() if sign == "[" else ANY if sign == "." else _character(sign)
            may_be_empty = False
        if is_caseless:
            first |= {one for letter in first for one in (letter.lower(), letter.upper())}
        is_optional = self._quantifier()
        return first, may_be_empty or is_optional, is_anchored and not is_optional

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

    def _quantifier(self) -> bool:
        """May what stands before be left out?"""
        is_optional = False
        while (sign := self._peek()) and sign in "*?+{":
            self._at += 1
            if sign == "{":
                end = self._text.index("}", self._at)
                is_optional = is_optional or int(self._text[self._at : end].partition(",")[0] or "0") == 0
                self._at = end + 1
            else:
                is_optional = is_optional or sign in "*?"
        return is_optional

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        self._at += 1
        return self._text[self._at - 1]


def _character(letter: str) -> frozenset[str]:
    return frozenset(letter if letter < OTHER else OTHER)
