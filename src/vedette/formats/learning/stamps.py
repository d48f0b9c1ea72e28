"""Where the stamps of unknown lines stand, which layouts read them, and a regular expression for them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import polars as pl

from vedette.formats.timestamps import LAYOUTS, ZONES, read_stamps

Span = tuple[int, int]

_SEARCHED: Final = 300
"""A stamp that begins further right is a detail of the message."""
_ENOUGH: Final = 0.6
_LOOKED_AT: Final = 50
_AMBIGUOUS: Final = ("date", "clock", "errpt", "epoch-exp", "epoch-2001", "webkit-us", "filetime", "dotnet-ticks")
"""Layouts that much else looks like."""
_OLDEST: Final = timedelta(days=40 * 365)
_AHEAD: Final = timedelta(days=2)
_PIECES: Final = re.compile(r"\d+|[A-Za-z]+|\s+|.", re.DOTALL)
_MOST_SKELETONS: Final = 6


def find_stamps(lines: Sequence[str], reference_time: datetime) -> list[list[Span]]:
    """The stamps of each line from left to right, of the layouts that most of the lines have; often one, or none."""
    searched = [line[:_SEARCHED] for line in lines]
    for layouts in (_separated(), _digits_only()):
        names = [name for name in layouts if any(_matches(name, line) for line in searched[:_LOOKED_AT])]
        found = [_spans(line, names) for line in searched]
        if sum(map(bool, found)) >= _ENOUGH * len(lines) and _are_times(lines, found, reference_time):
            return found
    return [[] for _ in lines]


def layouts_of(stamps: Sequence[str], reference_time: datetime) -> tuple[str, ...]:
    """The fewest layouts that read the stamps. Of those that read the same the one whose times go up counts: days and
    months may be confused."""
    left = pl.Series("stamp", list(stamps), dtype=pl.String)
    names: list[str] = []
    while left.len():
        best = max(LAYOUTS, key=lambda name: _quality(left, name, reference_time))
        read = read_stamps(left, (best,), reference_time=reference_time)
        if read.null_count() == read.len():
            break
        names.append(best)
        left = left.filter(read.is_null())
    return tuple(names)


def pattern_of(stamps: Sequence[str]) -> str:
    """A regular expression for stamps written like these: digits and letters may differ, what separates them not."""
    skeletons: dict[tuple[str, ...], list[list[str]]] = {}
    for stamp in dict.fromkeys(stamps):
        pieces = _PIECES.findall(stamp)
        skeletons.setdefault(tuple(map(_kind, pieces)), []).append(pieces)
    texts: list[str] = []
    for rows in sorted(skeletons.values(), key=lambda rows: (-len(rows[0]), -len(rows)))[:_MOST_SKELETONS]:
        if not any(re.fullmatch(text, "".join(rows[0])) for text in texts):
            texts.append(_rendered(rows))
    return texts[0] if len(texts) == 1 else f"(?:{'|'.join(texts)})"


def _quality(stamps: pl.Series, name: str, reference_time: datetime) -> tuple[int, int, int]:
    """How many it reads, how many of them are plausible, how seldom the time goes back."""
    times = read_stamps(stamps, (name,), reference_time=reference_time).drop_nulls()
    plausible = int(times.is_between(reference_time - _OLDEST, reference_time + _AHEAD).sum())
    steps_back = int((times.diff().dt.total_seconds() < 0).sum())
    return plausible, times.len(), -steps_back


def _are_times(lines: Sequence[str], found: Sequence[Sequence[Span]], reference_time: datetime) -> bool:
    first = [line[spans[0][0] : spans[0][1]] for line, spans in zip(lines, found, strict=True) if spans]
    times = read_stamps(pl.Series(first), reference_time=reference_time)
    plausible = times.is_between(reference_time - _OLDEST, reference_time + _AHEAD).fill_null(value=False)
    return int(plausible.sum()) >= _ENOUGH * len(first)


def _spans(line: str, names: Sequence[str]) -> list[Span]:
    """Stamps without overlap: the earliest first, of those that begin together the longest."""
    spans: list[Span] = []
    candidates = sorted((span for name in names for span in _matches(name, line)), key=lambda span: (span[0], -span[1]))
    for span in candidates:
        if not spans or span[0] >= spans[-1][1]:
            spans.append(span)
    return spans


def _matches(name: str, line: str) -> list[Span]:
    pattern = _compiled(name)
    spans: list[Span] = []
    if pattern is None:
        return spans
    for match in pattern.finditer(line):
        end = match.end()
        zone = match.groupdict().get("zone")
        if zone and zone[0].isalpha() and zone not in ZONES:
            shorter = pattern.match(line, match.start(), match.start("zone"))
            if shorter is None:
                continue
            end = shorter.end()
        end = match.start() + len(line[match.start() : end].rstrip())
        spans.append((match.start(), end))
    return spans


@functools.cache
def _compiled(name: str) -> re.Pattern[str] | None:
    """None where a layout is written in a way that only the engine understands."""
    try:
        return re.compile(rf"(?<![A-Za-z0-9.])(?:{LAYOUTS[name]})(?![A-Za-z0-9])")
    except re.error:
        return None


@functools.cache
def _digits_only() -> tuple[str, ...]:
    """Layouts that any long number has; asked when no other is found."""
    digits = tuple(name for name in LAYOUTS if name.startswith(("epoch", "iso-basic", "yymmdd")))
    return tuple(name for name in digits if name not in _AMBIGUOUS)


@functools.cache
def _separated() -> tuple[str, ...]:
    return tuple(name for name in LAYOUTS if name not in (*_digits_only(), *_AMBIGUOUS))


def _kind(piece: str) -> str:
    if piece.isdigit():
        return "9" if len(piece) <= 2 else "99"
    if piece.isalpha() and len(piece) > 1:
        return "A"
    return " " if piece.isspace() else piece


def _rendered(rows: Sequence[Sequence[str]]) -> str:
    """Pieces that stand in the same places as one expression. Two digits may be one (days), fractions may be missing."""
    columns = list(zip(*rows, strict=True))
    parts: list[str] = []
    for place, column in enumerate(columns):
        piece = column[0]
        if _is_fraction(columns, place):
            parts[-1] = r"(?:[.,]\d{1,9})?"
        elif piece.isdigit():
            parts.append(_digits(min(map(len, column)), max(map(len, column))))
        elif piece.isspace():
            parts.append(r"\s+" if "\t" in piece else " +")
        elif piece.isalpha() and len(piece) > 1:
            parts.append("[A-Za-z]+")
        elif piece in "+-" and any(column[0] == ":" for column in columns[:place]):
            parts.append("[+-]")
        else:
            parts.append(f"\\{piece}" if piece in r"\.+*?()|[]{}^$" else piece)
    return "".join(parts)


def _is_fraction(columns: Sequence[Sequence[str]], place: int) -> bool:
    """Digits after `:SS.` or `:SS,`, or after the seconds since 1970."""
    if place < 2 or not columns[place][0].isdigit() or columns[place - 1][0] not in ".,":
        return False
    return columns[place - 3][0] == ":" if place > 2 else len(columns) == 3


def _digits(least: int, most: int) -> str:
    if most <= 2:
        return r"\d{1,2}"
    return rf"\d{{{least}}}" if least == most else rf"\d{{{least},{most}}}"
