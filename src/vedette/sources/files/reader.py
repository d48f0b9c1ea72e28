"""One generation of one file, read in order from where it was left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import polars as pl

from vedette.model.clock import Clock
from vedette.model.entries import EntryBatch, EntryFlag, LedgerNote
from vedette.model.positions import HEAD_BYTES, TAIL_BYTES, Position
from vedette.sources.encodings import SNIFF_BYTES, UTF8, sniff, unit_of
from vedette.sources.files.compressed import CompressedContent
from vedette.sources.files.content import Content, FileFacts
from vedette.sources.files.identity import fingerprint
from vedette.sources.lines import Lines, LineSplitter, no_entries

_SETTLED_AFTER: Final = timedelta(milliseconds=200)
"""A file changed more recently may change again without its time of change showing it."""
_RECENT_BYTES: Final = 64 * 1024
_ROW_COST: Final = 64


class Overwritten(Exception):  # an event of the file, not a fault
    """The bytes that were read stand no longer in the file: it was truncated, or truncated and has grown again."""


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """What every batch of a source carries, and how its files are read."""

    source_id: str
    clock: Clock
    max_line_bytes: int
    block_bytes: int
    even_rows: int = 40_960
    """Rows of a batch in a backlog: a third of what the store writes at once. Halved while lines are so long that it
    would take more than `even_bytes`."""
    even_bytes: int = 12 * 1024 * 1024
    encoding: str | None = None
    priority: int = 5
    timezone: str | None = None
    format_name: str | None = None


class GenerationReader:
    """Reads one generation. Blocks; not thread-safe; owns `content`.

    `offset` is 0 or the beginning of a record. Positions stand at the beginning of the first record not given out, so
    an unfinished last line is read again after a restart. In a backlog batches are even: records of several blocks are
    held until there are enough for one, and are given out at the latest at the end of the file.

    `first_modified_ns` is the file's time of change when the generation was first met, 0 for now.
    """

    def __init__(
        self,
        content: Content,
        path: str,
        generation: int,
        settings: ReadSettings,
        *,
        offset: int = 0,
        encoding: str = "",
        fallback_encoding: str = UTF8,
        first_modified_ns: int = 0,
    ) -> None:
        self.path = path
        self.generation = generation
        self.content = content
        self._settings = settings
        facts = content.facts()
        self.begun_at = self._last_read_at = settings.clock.now()
        self.place = facts.place
        self.last_size = facts.size
        self._modified_ns = facts.modified_ns
        self.first_modified_ns = first_modified_ns or facts.modified_ns
        self._head = content.read_at(0, min(HEAD_BYTES, offset))
        tail = min(TAIL_BYTES, offset)
        self._tail = content.read_at(offset - tail, tail)  # before the next byte to read
        self._boundary_tail = self._tail  # before the position
        self._recent = self._tail
        self._held = no_entries()
        self._held_counts: Counter[str] = Counter()
        self._offset = offset
        self._is_introduced = offset > 0
        self._read_offset = offset
        if offset and not encoding:
            encoding, _ = sniff(content.read_at(0, SNIFF_BYTES), wish=settings.encoding, fallback=fallback_encoding)
        self._lines = LineSplitter(
            max_line_bytes=settings.max_line_bytes,
            offset=offset,
            encoding=encoding,
            wish=settings.encoding,
            fallback=fallback_encoding,
        )
        self._seen: FileFacts | None = None
        self.is_at_end = False
        self.grew_at = settings.clock.monotonic()

    @property
    def encoding(self) -> str:
        return self._lines.encoding

    @property
    def offset(self) -> int:
        """Where the position stands."""
        return self._offset

    @property
    def read_offset(self) -> int:
        """Offset of the next byte to read."""
        return self._read_offset

    @property
    def head(self) -> bytes:
        """The first bytes, at most HEAD_BYTES, as far as they were read."""
        return self._head

    @property
    def lag_bytes(self) -> int:
        """Bytes of the file not read yet; 0 where a compressed file does not tell."""
        return 0 if self.content.is_compressed else max(0, self.last_size - self._read_offset)

    @property
    def has_unfinished_line(self) -> bool:
        return self._lines.pending_bytes > 0

    def position(self, *, is_finished: bool = False) -> Position:
        """Where reading resumes once everything given out is stored."""
        offset = self._offset
        # With nothing given out yet, what was read of the first line is all that tells the file from another.
        head = self._head[: min(HEAD_BYTES, offset)] if offset else self._head
        return Position(
            source_id=self._settings.source_id,
            generation=self.generation,
            path=self.path,
            device=self.place[0],
            inode=self.place[1],
            head_length=len(head),
            head_hash=fingerprint(head),
            offset=offset,
            tail_length=len(self._boundary_tail),
            tail_hash=fingerprint(self._boundary_tail),
            encoding=self._lines.encoding,
            updated_at=self._last_read_at,
            is_finished=is_finished,
            first_modified_ns=self.first_modified_ns,
            modified_ns=self._modified_ns,
        )

    def read(self) -> EntryBatch | None:
        """The records that are complete within the next block, None when there are none.

        `is_at_end` says whether there is more to read. Raises Overwritten, and SourceError when the file cannot be
        read; what was read before stays valid.
        """
        facts = self.content.facts()
        if facts == self._seen:
            self.is_at_end = True
            return None
        block = self._next_block(facts)
        self._modified_ns = facts.modified_ns
        self.last_size = max(facts.size, self._read_offset + len(block))
        self.is_at_end = len(block) < self._settings.block_bytes
        self._seen = facts if self.is_at_end and self._is_settled(facts) else None
        if not block:
            return self._give_all() if self._held.height else None
        self.grew_at = self._settings.clock.monotonic()
        self._last_read_at = self._settings.clock.now()
        return self._batch_of(block)

    @property
    def is_unmet(self) -> bool:
        """Whether nothing tells yet which content this is: a plain file that was empty, or was only just opened."""
        return not self._head and not self.content.is_compressed

    def meet(self) -> None:
        """Remember how the file begins, so that other content in its place is noticed. Raises SourceError."""
        if self.is_unmet:
            self._head = self.content.read_at(0, HEAD_BYTES)

    def is_overwritten(self) -> bool:
        """Whether the bytes that were read stand no longer in the file. Raises SourceError."""
        return not self.content.is_compressed and not self.is_read_from(self.content)

    def has_read(self, content: Content) -> bool:
        """Whether `content` is a copy that ends before what was read. Raises SourceError."""
        facts = content.facts()
        if not 0 < facts.size <= self._read_offset:
            return False
        overlap = facts.size - (self._read_offset - len(self._recent))
        if content.read_at(0, len(self._head)) != self._head[: facts.size]:
            return False
        if overlap > 0:
            return content.read_at(facts.size - overlap, overlap) == self._recent[:overlap]
        return facts.modified_ns <= self._last_read_at.timestamp() * 1e9

    def is_read_from(self, content: Content) -> bool:
        """Whether everything read may have come from `content`. Raises SourceError."""
        known = len(self._tail)
        return (
            content.read_at(0, len(self._head)) == self._head
            and content.read_at(self._read_offset - known, known) == self._tail
        )

    def flush(self, *, final: bool, is_finished: bool = False, notes: tuple[LedgerNote, ...] = ()) -> EntryBatch | None:
        """The last line although its end never came, marked UNFINISHED; None when there is none.

        `final`: also half a code unit at the end. `is_finished`: the generation is over, which the position says;
        then there always is a batch.
        """
        self._hold(self._lines.flush(final=final))
        if self._lines.offset == self._offset and not is_finished:
            return None
        return self._give_all(is_finished=is_finished, notes=notes)

    def close(self) -> None:
        self.content.close()

    def _next_block(self, facts: FileFacts) -> bytes:
        if self.content.is_compressed:
            return self.content.read_at(self._read_offset, self._settings.block_bytes)
        if facts.size < self._read_offset:
            raise Overwritten
        wanted = min(self._settings.block_bytes, max(facts.size - self._read_offset, 1))
        known = len(self._tail)
        window = self.content.read_at(self._read_offset - known, known + wanted)
        if window[:known] != self._tail or self.content.read_at(0, len(self._head)) != self._head:
            raise Overwritten
        return window[known:]

    def _is_settled(self, facts: FileFacts) -> bool:
        age = self._settings.clock.now().timestamp() * 1e9 - facts.modified_ns
        return self.content.is_compressed or age > _SETTLED_AFTER.total_seconds() * 1e9

    def _batch_of(self, block: bytes) -> EntryBatch | None:
        self._hold(self._lines.feed(block))
        window = self._tail + block
        window_start = self._read_offset - len(self._tail)
        self._read_offset += len(block)
        self._tail = window[-TAIL_BYTES:]
        is_enough = len(block) >= _RECENT_BYTES
        self._recent = block[-_RECENT_BYTES:] if is_enough else (self._recent + block)[-_RECENT_BYTES:]
        if window_start <= len(self._head) < min(HEAD_BYTES, self._read_offset):
            self._head += window[len(self._head) - window_start :][: HEAD_BYTES - len(self._head)]
        rows = self._rows_to_give()
        if not rows and self._lines.offset == self._offset:
            # The first bytes of a first line are told once, empty-handed: after a restart they identify the file.
            is_news, self._is_introduced = not self._is_introduced and not self._offset, True
            return self._give(0) if is_news else None
        if not rows and self._held.height:
            return None
        self._is_introduced = True
        if self._end_of(rows) <= window_start:  # lines grew long: what went before this block is not at hand any more
            rows = self._held.height
        end = self._end_of(rows) - window_start
        self._boundary_tail = window[max(0, end - TAIL_BYTES) : end]
        return self._give(rows)

    def _hold(self, lines: Lines) -> None:
        self._held = pl.concat([self._held, lines.frame]) if self._held.height else lines.frame
        self._held_counts += Counter(lines.counts)

    def _rows_to_give(self) -> int:
        """All at the end of the file; before it a batch that is even, 0 until there are enough for one."""
        held = self._held.height
        if self.is_at_end or not held:
            return held
        row_bytes = (self._lines.offset - self._offset) / held
        even = self._settings.even_rows
        while even > 1 and even * row_bytes > self._settings.even_bytes:
            even //= 2
        return held // even * even if held >= even else 0

    def _end_of(self, rows: int) -> int:
        """Offset behind so many of the held records, and what was counted without a row before the next one."""
        return int(self._held["offset"][rows]) if rows < self._held.height else self._lines.offset

    def _give_all(self, *, is_finished: bool = False, notes: tuple[LedgerNote, ...] = ()) -> EntryBatch:
        behind = self._read_offset - self._lines.offset
        self._boundary_tail = self._tail[: len(self._tail) - behind] if behind else self._tail
        return self._give(self._held.height, is_finished=is_finished, notes=notes)

    def _give(self, rows: int, *, is_finished: bool = False, notes: tuple[LedgerNote, ...] = ()) -> EntryBatch:
        """A batch of the oldest held records; the position moves behind them."""
        end = self._end_of(rows)
        consumed, self._offset = end - self._offset, end
        given, self._held = self._held.head(rows), self._held.slice(rows)
        kept = Counter(read=self._held.height)
        if self._held.height and self._held["flags"].max():
            for flag in EntryFlag:
                kept[str(flag.name).lower()] = int((self._held["flags"] & flag.value > 0).sum())
        counts, self._held_counts = self._held_counts - kept, kept
        return self._batch(given, {**counts, "bytes": consumed}, consumed, is_finished=is_finished, notes=notes)

    def _batch(
        self,
        frame: pl.DataFrame,
        counts: Mapping[str, int],
        consumed: int,
        *,
        is_finished: bool,
        notes: tuple[LedgerNote, ...],
    ) -> EntryBatch:
        now = self._settings.clock.now()
        return EntryBatch(
            source_id=self._settings.source_id,
            generation=self.generation,
            path=self.path,
            frame=frame,
            position=self.position(is_finished=is_finished),
            size_bytes=consumed + _ROW_COST * frame.height,
            read_at=now,
            reference_time=min(now, datetime.fromtimestamp(self._modified_ns / 1e9, UTC)),
            priority=self._settings.priority,
            timezone=self._settings.timezone,
            format_name=self._settings.format_name,
            notes=notes,
            counts={name: amount for name, amount in counts.items() if amount},
        )


def last_line_start(content: Content, settings: ReadSettings) -> tuple[int, str]:
    """(offset, encoding) behind the last line end there is now: where following starts that skips what is there.
    The end itself where no line end is within the longest line's reach."""
    size = content.facts().size
    start = content.read_at(0, SNIFF_BYTES)
    if not size or not start:
        return 0, ""
    encoding, _ = sniff(start, wish=settings.encoding)
    unit, end = unit_of(encoding), "\n".encode(encoding)
    first = max(0, size - settings.max_line_bytes) // unit * unit
    data = content.read_at(first, size - first)
    found = data.rfind(end)
    while found >= 0 and found % unit:
        found = data.rfind(end, 0, found + unit - 1)
    if found >= 0:
        return first + found + unit, encoding
    return (0, "") if first == 0 else (size // unit * unit, encoding)


def empty_batch(
    settings: ReadSettings,
    position: Position | None,
    *,
    notes: tuple[LedgerNote, ...] = (),
    path: str = "",
    counts: Mapping[str, int] | None = None,
) -> EntryBatch:
    """A batch that only moves a position or carries notes."""
    now = settings.clock.now()
    return EntryBatch(
        source_id=settings.source_id,
        generation=position.generation if position else 0,
        path=position.path if position else path,
        frame=no_entries(),
        position=position,
        size_bytes=_ROW_COST,
        read_at=now,
        reference_time=now,
        priority=settings.priority,
        timezone=settings.timezone,
        format_name=settings.format_name,
        notes=notes,
        counts=counts or {},
    )


def damage_of(content: Content) -> None:
    """Raise what ended the reading of a compressed file, if it did not end by itself."""
    if isinstance(content, CompressedContent):
        content.raise_damage()
