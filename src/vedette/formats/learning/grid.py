"""Lines made of columns that begin at the same place in every line."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from vedette.formats.learning.kinds import kind_of_all
from vedette.formats.learning.parts import Capture, Fixed, Part
from vedette.formats.learning.rows import Row

Read = Callable[[Sequence[Row], int], list[Part]]

_FEWEST_ROWS: Final = 8
_WIDEST: Final = 400
_ALIGNED: Final = 0.9
_LONG_ENOUGH: Final = 0.8


@dataclass(frozen=True, slots=True)
class _Column:
    start: int
    end: int | None
    """Where the next column begins; None for the last, which goes on to the end."""


def read_grid(rows: Sequence[Row], read: Read, depth: int) -> list[Part] | None:
    """None unless at least three columns begin at the same place and at least two of them are padded."""
    if len(rows) < _FEWEST_ROWS:
        return None
    columns = _columns([row.mask for row in rows])
    if len(columns) < 3 or sum(_is_padded(rows, column) for column in columns) < 2:
        return None
    rows = [row for row in rows if _conforms(row.mask, columns)]
    parts: list[Part] = []
    for place, column in enumerate(columns):
        cells = [row.part(column.start, column.end).stripped() for row in rows]
        if column.end is None:
            parts += read(cells, depth + 1)
            continue
        width = column.end - column.start - 1
        kind = kind_of_all(cells)
        if kind == "stamp":
            parts += [Capture([cell.text for cell in cells], kind="stamp", width=width), Fixed(" ")]
        else:
            padded = [row.text[column.start : column.end] for row in rows]
            parts += [Capture([cell.text for cell in cells], kind="padded", width=width), Fixed(" ")]
            capture = parts[-2]
            assert isinstance(capture, Capture)
            capture.is_flush = all(text[:1].strip() for text in padded)
        if place == 0 and column.start:
            parts.insert(0, Fixed(" " * column.start))
    return parts


def _columns(masks: Sequence[str]) -> list[_Column]:
    """A column begins behind a place where every row has a blank, and nearly every row has text there."""
    by_length = sorted(map(len, masks))
    reach = min(by_length[int((1 - _LONG_ENOUGH) * len(by_length))], _WIDEST)
    is_gutter = [all(mask[place : place + 1] in ("", " ") for mask in masks) for place in range(reach)]
    starts = [0] if reach and not is_gutter[0] else []
    for place in range(1, reach):
        if is_gutter[place - 1] and not is_gutter[place]:
            starts.append(place)
    starts = [start for start in starts if _is_aligned(masks, start, starts)]
    return [_Column(start, end) for start, end in itertools.zip_longest(starts, starts[1:])]


def _is_aligned(masks: Sequence[str], start: int, starts: Sequence[int]) -> bool:
    """Text begins here in nearly every row that has any in this column, or it ends together (numbers)."""
    end = next((other for other in starts if other > start), None)
    cells = [mask[start:end] for mask in masks if mask[start:end].strip()]
    if not cells:
        return False
    flush_left = sum(not cell[0].isspace() for cell in cells)
    widths = {len(cell.rstrip()) for cell in cells}
    return flush_left >= _ALIGNED * len(cells) or (end is not None and len(widths) == 1)


def _is_padded(rows: Sequence[Row], column: _Column) -> bool:
    """Texts of different lengths in a column of one width."""
    if column.end is None:
        return False
    return len({len(row.text[column.start : column.end].strip()) for row in rows}) > 1


def _conforms(mask: str, columns: Sequence[_Column]) -> bool:
    return all(column.end is None or mask[column.end - 1 : column.end] in ("", " ") for column in columns)
