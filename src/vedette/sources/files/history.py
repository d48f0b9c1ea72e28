"""Reads files once, to their ends: what `vedette import` and `vedette scan` are made of."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import BinaryIO

import structlog

from vedette.model.clock import Clock, SystemClock
from vedette.model.entries import EntryBatch, LedgerNote
from vedette.model.errors import SourceError, SourceUnreadable
from vedette.model.positions import Position
from vedette.sources.config import DEFAULT_EXCLUDES, HISTORY_EXCLUDES, STDIN, LogSourceConfig, MonitoringConfig
from vedette.sources.files.compressed import PACKED, CompressedContent, DecompressionLimits
from vedette.sources.files.content import Content, PlainContent
from vedette.sources.files.identity import RandomBits, is_same_content, new_generation
from vedette.sources.files.nature import PROBE_BYTES, looks_binary
from vedette.sources.files.patterns import expand
from vedette.sources.files.reader import GenerationReader, ReadSettings, damage_of, empty_batch
from vedette.sources.files.rotation import age_key, root_of
from vedette.sources.lines import LineSplitter

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class HistoryProgress:
    """How far reading has come, in bytes on disk. `total_bytes` is 0 for standard input."""

    total_bytes: int
    done_bytes: int
    files: int
    files_done: int
    path: str


class FileHistory:
    """A finite `Source`: every file of `config.paths` to its end, rotated siblings oldest first.

    Plain and compressed files, folders, patterns, and `-` for standard input. A last line without line end is a record
    too, marked UNFINISHED; should the file grow later, its rest is a record of its own. Resumable by content: files
    that were read are recognised under any name, also compressed, and only what is new is given out. The same holds
    between import and following, as long as both use the same source id, which they do for the same paths. A file that
    cannot be read is told in a note and in `problems`, and the others are read. `left_out` are the files of folders and
    patterns that hold something else than text.
    """

    def __init__(
        self,
        config: LogSourceConfig,
        monitoring: MonitoringConfig | None = None,
        *,
        clock: Clock | None = None,
        random_bits: RandomBits = secrets.randbits,
        limits: DecompressionLimits | None = None,
        stdin: BinaryIO | None = None,
    ) -> None:
        monitoring = monitoring or MonitoringConfig()
        self._config = config
        self._clock = clock or SystemClock()
        self._random_bits = random_bits
        self._limits = limits
        self._stdin = stdin
        self._settings = ReadSettings(
            source_id=config.id,
            clock=self._clock,
            max_line_bytes=config.max_line_bytes or monitoring.max_line_bytes,
            block_bytes=monitoring.read_block_bytes,
            encoding=config.encoding,
            priority=config.priority,
            timezone=config.timezone,
            format_name=config.format_name,
        )
        self._progress = HistoryProgress(0, 0, 0, 0, "")
        self.problems: list[str] = []
        self.left_out: list[str] = []
        self._named: set[str] = set()

    @property
    def id(self) -> str:
        return self._config.id

    @property
    def progress(self) -> HistoryProgress:
        return self._progress

    async def read(self, resume: Sequence[Position]) -> AsyncIterator[EntryBatch]:
        batches = self.batches(resume)
        try:
            while (batch := await asyncio.to_thread(next, batches, None)) is not None:
                yield batch
        finally:
            batches.close()

    def batches(self, resume: Sequence[Position]) -> Generator[EntryBatch]:
        """The same without an event loop. Blocks."""
        files = self._files()
        sizes = [_size_of(path) for path in files]
        known = list(resume)
        for index, path in enumerate(files):
            self._progress = HistoryProgress(sum(sizes), sum(sizes[:index]), len(files), index, path)
            if path == STDIN:
                yield from self._from_stream(self._stdin or sys.stdin.buffer)
                continue
            try:
                yield from self._from_file(path, known, sum(sizes[:index]))
            except _NotText as error:
                self.left_out.append(str(error))
            except SourceError as error:
                self.problems.append(str(error))
                log.warning("history_file_unreadable", source=self.id, path=path)
                note = LedgerNote(self.id, "unreadable", str(error), self._clock.now(), path)
                yield empty_batch(self._settings, None, notes=(note,), path=path)
        self._progress = HistoryProgress(sum(sizes), sum(sizes), len(files), len(files), "")

    def _files(self) -> list[str]:
        config = self._config
        exclude = HISTORY_EXCLUDES if config.exclude == DEFAULT_EXCLUDES else config.exclude
        found = expand(config.paths, recursive=config.recursive, include=config.include, exclude=exclude)
        self.problems.extend(found.problems.values())
        self._named = found.named
        return sorted(found.files, key=_reading_order)

    def _from_file(self, path: str, known: list[Position], done_before: int) -> Iterator[EntryBatch]:
        content = self._open(path)
        try:
            reader = self._reader(content, path, known)
            yield from self._until_end(reader, done_before)
            damage_of(content)
        finally:
            content.close()

    def _open(self, path: str) -> Content:
        if path.endswith(PACKED):
            return CompressedContent(path, self._limits)
        content = PlainContent(path)
        if kind := looks_binary(content.read_at(0, PROBE_BYTES)):
            content.close()
            is_named = path in self._named
            raise (SourceUnreadable if is_named else _NotText)(f"'{path}' holds {kind}, not text: name a text file")
        return content

    def _reader(self, content: Content, path: str, known: list[Position]) -> GenerationReader:
        """Behind what was read of this content before; a position serves one file only."""
        place = content.facts().place
        ordered = sorted(known, key=lambda each: ((each.device, each.inode) != place, -each.offset))
        for position in ordered:
            is_here = (position.device, position.inode) == place and not content.is_compressed
            if is_same_content(position, content, is_same_place=is_here):
                known.remove(position)
                return GenerationReader(
                    content,
                    path,
                    position.generation,
                    self._settings,
                    offset=position.offset,
                    encoding=position.encoding,
                    first_modified_ns=position.first_modified_ns,
                )
        return GenerationReader(content, path, new_generation(self._random_bits), self._settings)

    def _until_end(self, reader: GenerationReader, done_before: int) -> Iterator[EntryBatch]:
        while not reader.is_at_end:
            batch = reader.read()
            self._progress = replace(self._progress, done_bytes=done_before + _bytes_done(reader))
            if batch is not None:
                yield batch
        rest = reader.flush(final=True, is_finished=False)
        if rest is not None:
            yield rest

    def _from_stream(self, stream: BinaryIO) -> Iterator[EntryBatch]:
        generation = new_generation(self._random_bits)
        splitter = LineSplitter(max_line_bytes=self._settings.max_line_bytes, wish=self._settings.encoding)
        read = getattr(stream, "read1", stream.read)
        while block := read(self._settings.block_bytes):
            yield self._stream_batch(splitter, generation, block)
        yield self._stream_batch(splitter, generation, None)

    def _stream_batch(self, splitter: LineSplitter, generation: int, block: bytes | None) -> EntryBatch:
        before = splitter.offset
        lines = splitter.flush(final=True) if block is None else splitter.feed(block)
        counts = {**lines.counts, "bytes": splitter.offset - before}
        base = empty_batch(self._settings, None, path=STDIN, counts={k: v for k, v in counts.items() if v})
        return replace(base, generation=generation, frame=lines.frame, size_bytes=counts["bytes"] + base.size_bytes)


class _NotText(SourceUnreadable):
    """A file nobody named holds something else than text."""


def _reading_order(path: str) -> tuple[str, tuple[int, int, str, int]]:
    modified = 0
    with suppress(OSError):
        modified = os.stat(path).st_mtime_ns
    return (root_of(path) if PurePath(path).name != STDIN else path), age_key(path, modified)


def _bytes_done(reader: GenerationReader) -> int:
    content = reader.content
    return content.compressed_bytes_read if isinstance(content, CompressedContent) else reader.read_offset


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
