"""When the words that messages have at one place, all else being equal, are values and not part of what is said.

A few different words at a place are often a choice of the program's author (`opened`, `closed`); many are data. The
fewer constant words vouch that the messages are the same otherwise, the more different words it takes. The rules look
only at sets that grow, so that the order in which messages come does not change what is found.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vedette.formats.templates.masks import VARIABLE

_WORDS: Final = 5
_NAMES: Final = 3
_BESIDE_A_TYPED_VALUE: Final = 2
_FACTOR_BY_CONSTANTS: Final = (12, 5, 2.4)
"""What it takes more where only none, one or two constant words are left."""

_MAX_PLACES: Final = 24
_WORD: Final = re.compile(r"<\*>|[^\s=,;:()\[\]{}\"'|<>]+")
_QUOTED: Final = re.compile(r"\"([^\"]+)\"|(?<![A-Za-z0-9])'([^']+)'(?![A-Za-z0-9])")
_NAME: Final = re.compile(r"[A-Za-z0-9_][.@/\\][A-Za-z0-9_]|^[^A-Za-z]+$|^[A-Za-z][+-]$")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value may stand: text[start:end]; and how many constant words there are beside it."""

    start: int
    end: int
    constants: int


def places_of(text: str) -> list[Place]:
    """The words of a template's text, up to a bound, and its quoted phrases."""
    words = [match.span() for match in _WORD.finditer(text)]
    constant = [_is_constant(text[start:end]) for start, end in words]
    total = sum(constant)
    places = [
        Place(start, end, total - is_constant)
        for (start, end), is_constant in zip(words[:_MAX_PLACES], constant, strict=False)
    ]
    if '"' in text or "'" in text:
        places += _quoted(text, total)
    return places


def head_of(text: str, words: int) -> str:
    """The text up to the end of a word, all of it when it has no more."""
    ends = (match.end() for match in _WORD.finditer(text))
    return text[: next((end for number, end in enumerate(ends, 1) if number == words), len(text))]


def are_values(words: Sequence[str], constants: int) -> bool:
    """Whether different words at one place, which has `constants` constant words beside it, are values."""
    factor = _FACTOR_BY_CONSTANTS[constants] if constants < len(_FACTOR_BY_CONSTANTS) else 1
    if len(words) < _BESIDE_A_TYPED_VALUE * factor:
        return False
    if len(words) >= _WORDS * factor or VARIABLE in words:
        return True
    return sum(_NAME.search(word) is not None for word in words) >= _NAMES * factor


def _quoted(text: str, total: int) -> Iterable[Place]:
    for match in _QUOTED.finditer(text):
        start, end = match.span(1) if match[1] else match.span(2)
        inside = _WORD.findall(text[start:end])
        if len(inside) > 1:
            yield Place(start, end, total - sum(map(_is_constant, inside)))


def _is_constant(word: str) -> bool:
    return word != VARIABLE and any(map(str.isalpha, word))
