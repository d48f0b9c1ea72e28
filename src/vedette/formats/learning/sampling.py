"""Some of the lines that nobody explains, by file, until there are enough to learn from."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import polars as pl

FEWEST_TO_LEARN_FROM: Final = 30
LINES_KEPT: Final = 400
_FILES_KEPT: Final = 64
_LONGEST_LINE: Final = 2_000
_MOST_OF_A_BATCH: Final = 2 * LINES_KEPT


@dataclass(frozen=True, slots=True)
class UnreadLines:
    """A sample of a file's lines, in order, out of `seen`."""

    source: str
    path: str
    seen: int
    lines: tuple[str, ...]


@dataclass(slots=True)
class _Sample:
    """Every `stride`-th line; when there are too many, every second of them goes, and the stride doubles."""

    lines: list[str] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    next_attempt: int = FEWEST_TO_LEARN_FROM

    def add(self, lines: pl.Series) -> None:
        stride = max(self.stride, lines.len() // _MOST_OF_A_BATCH)
        first = -self.seen % stride
        self.lines += [line[:_LONGEST_LINE] for line in lines.gather_every(stride, first)]
        self.seen += lines.len()
        while len(self.lines) > LINES_KEPT:
            self.lines = self.lines[::2]
            self.stride *= 2


class UnreadSampler:
    """Thread-safe and bounded: LINES_KEPT lines of each of some files, of those that had unread lines last. `add` is
    called with every batch that holds such lines; it looks at few of them."""

    def __init__(self, *, files_kept: int = _FILES_KEPT) -> None:
        self._files_kept = files_kept
        self._samples: OrderedDict[tuple[str, str], _Sample] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, source: str, path: str, lines: pl.Series) -> None:
        """Take notice of lines in their order."""
        with self._lock:
            sample = self._samples.setdefault((source, path), _Sample())
            self._samples.move_to_end((source, path))
            sample.add(lines)
            while len(self._samples) > self._files_kept:
                self._samples.popitem(last=False)

    def take_due(self) -> UnreadLines | None:
        """The next file of which enough lines came since it was due before: at first 30, then twice as many each time."""
        with self._lock:
            for (source, path), sample in self._samples.items():
                if sample.seen >= sample.next_attempt:
                    sample.next_attempt = 2 * sample.seen
                    return UnreadLines(source, path, sample.seen, tuple(sample.lines))
        return None

    def forget(self, source: str | None = None, path: str | None = None) -> None:
        """Begin anew with a file, or with all: what was unread may be read now."""
        with self._lock:
            if source is None or path is None:
                self._samples.clear()
            else:
                self._samples.pop((source, path), None)
