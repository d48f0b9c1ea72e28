"""Lines to learn from, with a mask that hides what separators must not be looked for in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from vedette.formats.learning.stamps import Span

STAMP: Final = "\U00010348"
"""Stands in the mask for every character of a stamp: a letter, so that nothing takes it for a separator."""
QUOTED: Final = "\U00010349"
"""Stands in the mask for every character inside quotes."""
CLOSERS: Final = {"[": "]", "(": ")", "{": "}", "<": ">"}

_QUOTES: Final = re.compile(r'(?<![\w"])"((?:[^"\\]|\\.)*)"(?![\w"])' + r"|(?<![\w'])'([^']*)'(?![\w'])")


@dataclass(frozen=True, slots=True)
class Row:
    """A line, or a part of it. `mask` is as long as `text`."""

    text: str
    mask: str

    def part(self, start: int, end: int | None = None) -> Row:
        return Row(self.text[start:end], self.mask[start:end])

    def stripped(self) -> Row:
        start = len(self.mask) - len(self.mask.lstrip())
        return self.part(start, max(start, len(self.mask.rstrip())))


def rows_of(lines: Sequence[str], stamps: Sequence[Iterable[Span]]) -> list[Row]:
    return [Row(line, _mask(line, spans)) for line, spans in zip(lines, stamps, strict=True)]


def _mask(line: str, spans: Iterable[Span]) -> str:
    mask = _QUOTES.sub(lambda found: found[0][0] + QUOTED * (len(found[0]) - 2) + found[0][-1], line)
    for start, end in spans:
        mask = mask[:start] + STAMP * (end - start) + mask[end:]
    return mask


def closing(mask: str, start: int = 0) -> int | None:
    """Where the bracket that opens at `start` is closed; None when it is not."""
    opener, depth = mask[start], 0
    closer = CLOSERS[opener]
    for place in range(start, len(mask)):
        if mask[place] == opener:
            depth += 1
        elif mask[place] == closer:
            depth -= 1
            if not depth:
                return place
    return None


def common_prefix(texts: Sequence[str]) -> str:
    low, high = min(texts, default=""), max(texts, default="")
    length = next((place for place, letter in enumerate(low) if high[place] != letter), len(low))
    return low[:length]


def common_suffix(texts: Sequence[str]) -> str:
    return common_prefix([text[::-1] for text in texts])[::-1]
