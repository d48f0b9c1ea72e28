"""How unknown lines are built: what every line has in the same place, and what differs.

`read` looks for the strongest structure first: key=value pairs, cells between separators, columns of a fixed width; else
word by word, until words begin to be sentences. What it finds is read again the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from vedette.formats.learning.cells import read_cells, read_gaps
from vedette.formats.learning.grid import read_grid
from vedette.formats.learning.kinds import TYPED, kind_of_all
from vedette.formats.learning.pairs import read_pairs
from vedette.formats.learning.parts import Capture, Fixed, Group, Part
from vedette.formats.learning.quotes import quoted_parts
from vedette.formats.learning.rows import CLOSERS, Row, closing, common_prefix, common_suffix
from vedette.formats.learning.words import read_words

_DEEPEST: Final = 5
_MAY_HOLD_MORE: Final = frozenset(("path", "url"))
"""A whole line that looks like one may be made of pairs."""
_LEADING: Final = frozenset("[](){}<>|;,#!~^@:=*&»«¦§·•→ \t")
_TRAILING: Final = frozenset("])}>|;,#!~^*:=»«¦§· \t")


def read(rows: Sequence[Row], depth: int = 0) -> list[Part]:
    """The parts of the rows that are built alike; rows that are not are left out of account."""
    present = [row for row in rows if row.text]
    if not present:
        return []
    lead, present, trail = _edges(present)
    parts: list[Part] = [*lead, *_inside(present, depth), *trail]
    if len(present) == len(rows):
        return parts
    if len(parts) == 1 and isinstance(parts[0], Capture):
        parts[0].values.append("")
        return parts
    return [Group(parts, is_optional=True)]


def _inside(rows: Sequence[Row], depth: int) -> list[Part]:
    if not any(row.text for row in rows):
        return []
    if (quoted := quoted_parts(rows)) is not None:
        return quoted
    kind = kind_of_all(rows)
    if kind in TYPED and (depth or kind not in _MAY_HOLD_MORE):
        return [Capture([row.text for row in rows], kind="stamp" if kind == "stamp" else "value")]
    if depth < _DEEPEST:
        for way in (read_pairs, read_cells, read_grid, read_gaps):
            if parts := way(rows, read, depth):
                return parts
    return read_words(rows, read, depth)


def _edges(rows: Sequence[Row]) -> tuple[list[Part], list[Row], list[Part]]:
    """Separators that all rows begin and end with, and what is between."""
    lead: list[Part] = []
    trail: list[Part] = []
    start = _shared(common_prefix([row.mask for row in rows]), _LEADING)
    while start and any(_opens(row, place) for place in range(len(start)) for row in rows[:3]):
        start = start[:-1]
    rows = [row.part(len(start)) for row in rows]
    end = _shared(common_suffix([row.mask for row in rows])[::-1], _TRAILING)[::-1]
    while end and end[0] in CLOSERS.values() and any(_has_opener(row, end) for row in rows[:5]):
        end = end[1:]
    if end:
        rows = [row.part(0, len(row.text) - len(end)) for row in rows]
        trail.append(_blank() if end.isspace() else Fixed(end))
    if start:
        lead.append(_blank() if start.isspace() else Fixed(start))
    if any(row.mask[:1].isspace() for row in rows) and all(row.mask[:1].isspace() for row in rows):
        rows = [row.part(len(row.mask) - len(row.mask.lstrip())) for row in rows]
        lead.append(_blank())
    if rows and all(row.mask[-1:].isspace() for row in rows):
        rows = [row.part(0, len(row.mask.rstrip())) for row in rows]
        trail.insert(0, _blank())
    return lead, rows, trail


def _blank() -> Fixed:
    return Fixed(" ", r"\s+", " ")


def _shared(text: str, letters: frozenset[str]) -> str:
    return text[: next((place for place, letter in enumerate(text) if letter not in letters), len(text))]


def _opens(row: Row, place: int) -> bool:
    """A bracket opens here and closes before the end: it holds a part, not the whole row."""
    if row.mask[place] not in CLOSERS:
        return False
    end = closing(row.mask, place)
    return end is not None and end < len(row.mask.rstrip()) - 1


def _has_opener(row: Row, end: str) -> bool:
    opener = next(one for one, closer in CLOSERS.items() if closer == end[0])
    body = row.mask[: len(row.mask) - len(end)]
    return body.count(opener) > body.count(end[0])
