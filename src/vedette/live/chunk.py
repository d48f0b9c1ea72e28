"""Consecutive rows of a stream, and what a query sees of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import polars as pl

from vedette.model.inline import inline
from vedette.model.rows import SEQUENCE, ndjson_rows

ENCODED = "json"
"""Column of frames whose rows are encoded already (findings, status, metrics)."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Every row numbered first_seq..last_seq, and what is known of them.

    `frame` has `vedette.seq` and the event columns a mask may ask for; None means that the rows are gone.
    `at` is monotonic time.
    """

    first_seq: int
    last_seq: int
    frame: pl.DataFrame | None
    at: float
    size: int = 0
    """Rough bytes."""

    @property
    def height(self) -> int:
        return self.last_seq - self.first_seq + 1

    @property
    def next_seq(self) -> int:
        return self.last_seq + 1

    def precedes(self, later: Chunk) -> bool:
        """Whether both have rows and nothing lies between them."""
        return self.frame is not None and later.frame is not None and self.next_seq == later.first_seq


@dataclass(frozen=True, slots=True)
class View:
    """The rows of a chunk that match a query, encoded."""

    numbers: tuple[int, ...]
    texts: tuple[str, ...]
    joined: str
    """The texts with commas between them."""

    def rows_from(self, seq: int) -> tuple[int, str]:
        """How many rows have a number of at least `seq`, and their joined text."""
        if not self.numbers or self.numbers[0] >= seq:
            return len(self.numbers), self.joined
        kept = [text for number, text in zip(self.numbers, self.texts, strict=True) if number >= seq]
        return len(kept), ",".join(kept)


EMPTY_VIEW = View((), (), "")


@inline
def view(frame: pl.DataFrame, mask: pl.Expr | None) -> View:
    """Filter and encode; blocks for milliseconds, so it runs in a thread."""
    matching = frame if mask is None else frame.filter(mask)
    if not matching.height:
        return EMPTY_VIEW
    encoded = matching[ENCODED] if ENCODED in matching.columns else ndjson_rows(matching)
    texts = tuple(encoded.to_list())
    return View(tuple(matching[SEQUENCE].to_list()), texts, ",".join(texts))


def matches(frame: pl.DataFrame, mask: pl.Expr | None) -> pl.Series:
    """The numbers of the matching rows."""
    return (frame if mask is None else frame.filter(mask))[SEQUENCE]


def split(frame: pl.DataFrame, *, max_rows: int, max_bytes: int) -> Iterator[pl.DataFrame]:
    """Slices in order, each within the bounds or a single row."""
    if frame.height <= 1 or (frame.height <= max_rows and rough_bytes(frame) <= max_bytes):
        yield frame
        return
    half = frame.height // 2
    yield from split(frame.slice(0, half), max_rows=max_rows, max_bytes=max_bytes)
    yield from split(frame.slice(half), max_rows=max_rows, max_bytes=max_bytes)


def rough_bytes(frame: pl.DataFrame) -> int:
    """What the rows cost as JSON: the record twice (raw, message) and the names around it."""
    if ENCODED in frame.columns:
        return int(frame[ENCODED].str.len_bytes().sum() or 0)
    return 2 * int(frame["log.length"].sum() or 0) + 600 * frame.height


def chunks_of(
    frame: pl.DataFrame,
    *,
    first: int,
    until: int,
    at: float,
    max_rows: int,
    max_bytes: int,
    is_dense: bool,
) -> list[Chunk]:
    """Chunks that cover first..until - 1 without a hole. Numbers the frame does not hold become chunks without a
    frame, or, where the stream is not dense, part of the chunk behind them."""
    found: list[Chunk] = []
    following = first
    for piece in split(frame, max_rows=max_rows, max_bytes=max_bytes) if frame.height else ():
        for run in _runs(piece) if is_dense else [piece]:
            start, last = int(run[SEQUENCE][0]), int(run[SEQUENCE][-1])
            if is_dense and following < start:
                found.append(Chunk(following, start - 1, None, at))
            found.append(Chunk(start if is_dense else following, last, run, at, rough_bytes(run)))
            following = last + 1
    if following < until:
        found.append(Chunk(following, until - 1, None, at))
    return found


def _runs(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """The frame cut where its numbers jump."""
    numbers = frame[SEQUENCE]
    if int(numbers[-1]) - int(numbers[0]) + 1 == frame.height:
        return [frame]
    jumps = (numbers.diff().fill_null(1) != 1).arg_true().to_list()
    starts = [0, *jumps, frame.height]
    return [frame.slice(start, end - start) for start, end in pairwise(starts)]


def joined(earlier: Chunk, later: Chunk) -> Chunk:
    """Two neighbours as one, so that thousands of tiny commits do not cost a frame each."""
    assert earlier.frame is not None
    assert later.frame is not None
    frame = pl.concat([earlier.frame, later.frame], rechunk=True)
    return Chunk(earlier.first_seq, later.last_seq, frame, later.at, earlier.size + later.size)
