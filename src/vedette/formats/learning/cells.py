"""Lines made of cells between separators: `|`, tabs, `;`, ` :: `, wide gaps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from vedette.formats.learning.parts import Capture, Fixed, Part, literal
from vedette.formats.learning.rows import Row

Read = Callable[[Sequence[Row], int], list[Part]]

_WEIGHTS: Final = {
    "|": 5.0, "\t": 5.0, "||": 5.2, ";": 4.0, "¦": 5.0, "§": 5.0, "·": 4.0, "»": 4.0, "^": 4.0, "~": 3.5, ",": 3.0, "#": 3.0,
    "!": 2.5, ":": 1.5,
}  # fmt: skip
_SPACED: Final = re.compile(r"(?<=\S) +([^\w\s\"'\[\](){}]{1,3}) +(?=\S)")
_DOUBLED: Final = re.compile(r"[^\w\s\"'\[\](){}.<>-]{2,3}")
_WIDE_GAP: Final = "  "
_STRONG: Final = 4.0
_AGREEING: Final = 0.9
_MOST_CELLS: Final = 60


@dataclass(frozen=True, slots=True)
class _Delimiter:
    text: str
    finder: re.Pattern[str]
    cells: int
    score: float


def read_cells(rows: Sequence[Row], read: Read, depth: int) -> list[Part] | None:
    """None when nothing separates the rows into three cells or more."""
    delimiter = max(_delimiters(rows, _candidates(rows[0].mask)), key=lambda one: (one.score, one.text), default=None)
    return None if delimiter is None else _cells(rows, delimiter, read, depth)


def read_gaps(rows: Sequence[Row], read: Read, depth: int) -> list[Part] | None:
    """The same, where cells stand apart by two blanks or more."""
    delimiter = next(_delimiters(rows, {_WIDE_GAP: 2.0}), None)
    return None if delimiter is None else _cells(rows, delimiter, read, depth)


def _cells(rows: Sequence[Row], delimiter: _Delimiter, read: Read, depth: int) -> list[Part]:
    table = [cells for row in rows if len(cells := _split(row, delimiter)) == delimiter.cells]
    parts: list[Part] = []
    for place, column in enumerate(zip(*table, strict=True)):
        if place:
            parts.append(_fixed(delimiter))
        inner = read(column, depth + 1)
        is_text = place == delimiter.cells - 1 and any(delimiter.finder.search(cell.mask) for cell in column)
        parts += [Capture([cell.text for cell in column], kind="text")] if is_text else _settled(inner)
    return parts


def _settled(parts: list[Part]) -> list[Part]:
    """A cell may be empty one day."""
    if len(parts) == 1 and isinstance(parts[0], Capture) and parts[0].kind == "value":
        parts[0].may_be_empty = True
    return parts


def _fixed(delimiter: _Delimiter) -> Fixed:
    if delimiter.text == "\t":
        return Fixed("\t")
    if delimiter.text == _WIDE_GAP:
        return Fixed("  ", " {2,}", " ")
    if delimiter.text.startswith(" "):
        return Fixed(delimiter.text, rf" +{literal(delimiter.text.strip())} +", " ")
    return Fixed(delimiter.text, rf" *{literal(delimiter.text)} *", " " + delimiter.text[0])


def _split(row: Row, delimiter: _Delimiter) -> list[Row]:
    cells: list[Row] = []
    start = 0
    for found in delimiter.finder.finditer(row.mask):
        if len(cells) == delimiter.cells - 1:
            break
        cells.append(row.part(start, found.start()).stripped())
        start = found.end()
    return [*cells, row.part(start).stripped()]


def _delimiters(rows: Sequence[Row], candidates: Mapping[str, float]) -> Iterator[_Delimiter]:
    for text, weight in candidates.items():
        finder = _finder(text)
        counts = Counter(len(finder.findall(row.mask)) for row in rows)
        usual, agreeing = counts.most_common(1)[0]
        if not 2 <= usual <= _MOST_CELLS or (weight < _STRONG and usual < 3 and text in ",:#!"):
            usual = 0
        if usual and agreeing >= _AGREEING * len(rows):
            yield _Delimiter(text, finder, usual + 1, weight * (1 + min(usual, 10) / 10))
        elif weight >= _STRONG and text != _WIDE_GAP:
            ordered = sorted(counts.elements())
            least = ordered[int(0.03 * len(ordered))]
            if 2 <= least <= _MOST_CELLS and counts[least] >= 0.3 * len(rows):
                yield _Delimiter(text, finder, least + 1, weight * (1 + min(least, 10) / 10))


def _candidates(mask: str) -> dict[str, float]:
    found = {text: weight for text, weight in _WEIGHTS.items() if text in mask}
    found |= {text: 3.2 for text in _DOUBLED.findall(mask) if text not in found}
    found |= {f" {text} ": 3.4 for text in _SPACED.findall(mask) if text not in _WEIGHTS}
    return found


def _finder(text: str) -> re.Pattern[str]:
    if text == _WIDE_GAP:
        return re.compile(r"\s{2,}")
    if text.startswith(" "):
        return re.compile(rf"(?<!\s)\s+{re.escape(text.strip())}\s+")
    return re.compile(re.escape(text))
