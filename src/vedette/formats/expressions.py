"""Regular expressions over columns, when there are more of them than the engine keeps compiled.

Polars keeps some thirty compiled expressions a thread and compiles every other one again: 0.1 to 1 ms. That is nothing for
a column of 10,000 texts and far too much for one of 100. Few texts are asked one by one with RE2, whose expressions are
kept; both engines are of one family (no look-around, linear time), and where they differ RE2 is not asked.
"""

from __future__ import annotations

import functools
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl
import re2

FEW: Final = 512
"""Up to here texts are asked one by one: some 1 µs each."""

_TEXT: Final = "text"
_MOST_KEPT: Final = 8_192
_MEMORY_BYTES: Final = 2**20
_MOST_SETS: Final = 64
_SET_MEMORY_BYTES: Final = 2**23
_TOKEN: Final = re.compile(
    r"(?P<bound>\(\?-u:\\b\))|(?P<escape>\\(?:[pP]\{[^}]*\}|x\{[^}]*\}|.))|(?P<posix>\[:\^?\w+:\])|(?P<open>\[\^?\]?)|(?P<close>\])"
    r"|(?P<name>\(\?P?<[^>=!]+>)|(?P<flags>\(\?[a-zA-Z-]+[:)])|(?P<set>&&|--|~~)",
    re.DOTALL,
)
_SPACE: Final = r"\t\n\v\f\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
"""What Rust's `\\s` stands for; RE2's is ASCII."""


def captures(texts: pl.Series, pattern: str) -> pl.DataFrame:
    """A column a capture, one row a text, same order; null where the pattern does not match."""
    return texts.alias(_TEXT).to_frame().select(_groups(pattern)).to_series().struct.unnest()


def contains(texts: pl.Series, pattern: str) -> pl.Series:
    """Which texts match somewhere; null for null."""
    expression = _kept(pattern) if texts.len() <= FEW else None
    if expression is None:
        return texts.str.contains(pattern)
    search = expression.search
    # One by one, but few: see the module's first lines; bench/latency.py measures it.
    found = [None if text is None else search(text.encode()) is not None for text in texts.to_list()]
    return pl.Series(texts.name, found, dtype=pl.Boolean)


def contained(texts: pl.Series, patterns: Sequence[str]) -> dict[int, pl.Series]:
    """For each pattern, by its place, that some text matches somewhere: which do. Never null. Few texts are asked for all
    patterns at once."""
    together = _kept_together(tuple(patterns)) if 0 < texts.len() <= FEW and len(patterns) > 1 else None
    if together is None:
        return _contained_each(texts, patterns, range(len(patterns)))
    rows: defaultdict[int, list[int]] = defaultdict(list)
    unsaid: list[int] = []
    for row, text in enumerate(texts.to_list()):
        places = () if text is None else together.search(text.encode())
        if places is None:
            unsaid.append(row)
            continue
        for place in places:
            rows[place].append(row)
    if unsaid:
        for place, looks in _contained_each(texts.gather(unsaid), patterns, range(len(patterns))).items():
            if place not in together.left_out:
                rows[place].extend(row for row, found in zip(unsaid, looks, strict=True) if found)
    found = _contained_each(texts, patterns, together.left_out)
    for place, of_pattern in rows.items():
        has_it = [False] * texts.len()
        for row in of_pattern:
            has_it[row] = True
        found[place] = pl.Series(texts.name, has_it, dtype=pl.Boolean)
    return found


def _contained_each(texts: pl.Series, patterns: Sequence[str], places: Iterable[int]) -> dict[int, pl.Series]:
    found = {place: contains(texts, patterns[place]).fill_null(value=False) for place in places}
    return {place: looks for place, looks in found.items() if looks.any()}


@dataclass(frozen=True, slots=True)
class _Together:
    """Expressions as one. `search` gives the places of those found; None where its memory did not do."""

    search: Callable[[bytes], Sequence[int] | None]
    left_out: frozenset[int]


@functools.lru_cache(maxsize=_MOST_SETS)
def _kept_together(patterns: tuple[str, ...]) -> _Together | None:
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = _SET_MEMORY_BYTES, False, True
    expressions = re2.Set.SearchSet(options)
    added: list[int] = []
    for place, pattern in enumerate(patterns):
        translated = in_re2(pattern)
        if translated is None:
            continue
        try:
            expressions.Add(translated)
        except re2.error:
            continue
        added.append(place)
    if not added:
        return None
    try:
        expressions.Add("")  # found in every text: where it is not, the engine gave up and says nothing else
        expressions.Compile()
    except re2.error:
        return None
    always = len(added)

    def search(text: bytes) -> Sequence[int] | None:
        numbers = expressions.Match(text)
        return None if numbers is None else [added[number] for number in numbers if number != always]

    return _Together(search, frozenset(range(len(patterns))) - set(added))


@functools.lru_cache(maxsize=_MOST_KEPT)
def _groups(pattern: str) -> pl.Expr:
    return pl.col(_TEXT).str.extract_groups(pattern)


@functools.lru_cache(maxsize=_MOST_KEPT)
def _kept(pattern: str) -> re2._Regexp | None:
    """The same expression for RE2; None where it has no such one."""
    translated = in_re2(pattern)
    if translated is None:
        return None
    options = re2.Options()
    options.max_mem, options.log_errors, options.never_capture = _MEMORY_BYTES, False, True
    try:
        return re2.compile(translated, options)
    except re2.error:
        return None


def in_re2(pattern: str) -> str | None:
    """A Rust expression in RE2's words, without the names of its captures; None where RE2 cannot say it."""
    is_class = False
    parts: list[str] = []
    end = 0
    for token in _TOKEN.finditer(pattern):
        parts.append(pattern[end : token.start()])
        end = token.end()
        text = token[0]
        said: str | None = text
        match token.lastgroup:
            case "bound":
                said = r"\b"
            case "escape":
                said = _escape(text, is_class=is_class)
            case "open":
                said = None if is_class else text
                is_class = True
            case "close":
                said, is_class = text, False
            case "name":
                said = text if is_class else "("
            case "flags":
                said = text if is_class else _flags(text)
            case "set":
                said = None if is_class else text
            case _:
                said = text if is_class else None
        if said is None:
            return None
        parts.append(said)
    return "".join([*parts, pattern[end:]])


def _escape(text: str, *, is_class: bool) -> str | None:
    if text == r"\s":
        return _SPACE if is_class else f"[{_SPACE}]"
    if text == r"\S":
        return None if is_class else f"[^{_SPACE}]"
    if text[1] in "dDwWbB<>":
        return None
    return text


def _flags(text: str) -> str | None:
    """RE2 always reads Unicode, where `(?-u:` may mean other letters."""
    return text if set(text[2:-1]) <= set("ims-") else None
