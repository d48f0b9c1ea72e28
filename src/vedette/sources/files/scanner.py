"""Follows the files of one source, one synchronous step at a time: look, decide, read some."""

from __future__ import annotations

import os
import secrets
from collections import deque
from collections.abc import Collection, Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import PurePath
from typing import Final

import structlog

from vedette.model.clock import Clock, SystemClock
from vedette.model.entries import EntryBatch, LedgerNote
from vedette.model.errors import SourceError, SourceUnreadable
from vedette.model.positions import Position
from vedette.sources.config import LogSourceConfig, MonitoringConfig
from vedette.sources.files.compressed import DamagedFile
from vedette.sources.files.content import Content, FileFacts
from vedette.sources.files.identity import RandomBits, new_generation
from vedette.sources.files.lineage import Candidate, Lineage, Recogniser, live_name_of
from vedette.sources.files.nature import PROBE_BYTES, binary_kind, looks_binary
from vedette.sources.files.patterns import Expansion, expand, wants
from vedette.sources.files.reader import (
    GenerationReader,
    Overwritten,
    ReadSettings,
    damage_of,
    empty_batch,
    last_line_start,
)

log = structlog.get_logger(__name__)

_BLOCKS_A_STEP: Final = 2
_RESOLVE_TRIES: Final = 20
_MOST_ROTATED_OPEN: Final = 32
_RETRY_SECONDS: Final = 2.0
_STAMP_SLACK: Final = 1.0  # seconds by which a file's time of change may lag behind the clock
_SETTLING: Final = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True)
class FileStatus:
    """One file, for people. `state`: following, reading (behind), rotated (being finished), missing, unreadable,
    not text."""

    path: str
    state: str
    generation: int = 0
    offset: int = 0
    size: int = 0
    lag_bytes: int = 0
    encoding: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step gave. `is_busy`: more can be read at once."""

    batches: list[EntryBatch]
    is_busy: bool


class FileScanner:
    """Every decision about the files of one source. Blocks; not thread-safe; `close` releases what it opened.

    `resume` are the stored positions of the source. A position given out counts as read from then on: the caller
    hands the batches on in order, and begins a new scanner from what was kept when it failed to.
    """

    def __init__(
        self,
        config: LogSourceConfig,
        monitoring: MonitoringConfig | None = None,
        resume: Sequence[Position] = (),
        *,
        clock: Clock | None = None,
        random_bits: RandomBits = secrets.randbits,
    ) -> None:
        monitoring = monitoring or MonitoringConfig()
        self._config = config
        self._clock = clock or SystemClock()
        self._random_bits = random_bits
        self._grace = monitoring.rotation_grace.total_seconds()
        self.settings = ReadSettings(
            source_id=config.id,
            clock=self._clock,
            max_line_bytes=config.max_line_bytes or monitoring.max_line_bytes,
            block_bytes=monitoring.read_block_bytes,
            encoding=config.encoding,
            priority=config.priority,
            timezone=config.timezone,
            format_name=config.format_name,
        )
        self._known = {position.generation: position for position in resume}
        self._skips_what_is_there = config.start == "end" and not resume
        self._readers: dict[int, GenerationReader] = {}
        self._lineages: dict[str, Lineage] = {}
        self._by_path: dict[str, Lineage] = {}
        self._unread: dict[str, None] = {}
        self._expansion = Expansion()
        self._folder_times: dict[str, int] | None = None
        self._errors: dict[str, tuple[str, str]] = {}
        self._exhausted: dict[FileFacts, None] = {}  # of this scan's lifetime; a few for each rotation
        self._out: list[EntryBatch] = []
        self._is_first_pass = True

    @property
    def folders(self) -> list[str]:
        """Folders that hold the files, for watching."""
        real = {os.path.dirname(os.path.realpath(path)) for path in self._by_path if os.path.islink(path)}
        return list(dict.fromkeys((*self._expansion.folders, *sorted(real))))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """What the path of a change begins with when it may concern this source."""
        if not all(path in self._expansion.named for path in self._config.paths):
            places = {place for folder in self.folders for place in (folder, os.path.realpath(folder))}
            return tuple(place.rstrip("/") + "/" for place in places)
        return tuple({os.path.join(os.path.dirname(path), PurePath(path).stem) for path in self._by_path})

    @property
    def problems(self) -> list[str]:
        """What is wrong now, one sentence each."""
        errors = [message for _, message in self._errors.values()]
        return [*self._expansion.problems.values(), *errors, *self._unmatched()]

    def step(self, changed: Collection[str] | None = None) -> Step:
        """Look at the files that may have changed (None: at all of them), and read at most some blocks."""
        is_new = (changed is None or not all(map(self._is_followed, changed))) and self._refresh()
        if changed is None or is_new:
            looked: Collection[Lineage] = list(self._lineages.values())
        else:
            looked = {id(each): each for each in map(self._lineage_of_change, changed) if each}.values()
        for lineage in looked:
            self._look(lineage)
        self._read_rounds()
        self._is_first_pass = False
        for lineage in looked:
            self._tend(lineage)
        batches, self._out = self._out, []
        return Step(batches, bool(self._unread))

    def files(self) -> tuple[FileStatus, ...]:
        """Every file followed or wanted."""
        return tuple(self._statuses())

    def close(self) -> None:
        for reader in self._readers.values():
            reader.close()
        for lineage in self._lineages.values():
            lineage.readers.clear()
        self._readers.clear()

    # -- which files --------------------------------------------------------------------------------------------

    def _is_followed(self, path: str) -> bool:
        return path in self._by_path

    def _lineage_of_change(self, path: str) -> Lineage | None:
        return self._by_path.get(path) or self._by_path.get(live_name_of(path, self._is_followed))

    def _refresh(self) -> bool:
        """Expand the paths anew if a folder has changed; whether that was so."""
        times = self._times_of_folders()
        if self._folder_times is not None and times == self._folder_times:
            return False
        config = self._config
        self._expansion = expand(
            config.paths, recursive=config.recursive, include=config.include, exclude=config.exclude
        )
        self._folder_times = times if times == self._times_of_folders() else {}
        files = set(self._expansion.files)
        for lineage in self._lineages.values():
            if lineage.wanted - files:
                lineage.is_dirty = True
            lineage.wanted &= files
        for path in self._expansion.files:
            self._lineage_for(path).wanted.add(path)
        if self._is_first_pass:
            for position in self._known.values():
                if not position.is_finished and self._wants(position.path):
                    self._lineage_for(position.path)
        for live in [live for live, each in self._lineages.items() if self._is_over(each)]:
            del self._lineages[live]
        self._by_path = {path: each for each in self._lineages.values() for path in (*each.wanted, each.live)}
        for path in list(self._by_path):
            self._by_path.setdefault(os.path.realpath(path), self._by_path[path])
        return True

    def _is_over(self, lineage: Lineage) -> bool:
        if lineage.wanted or lineage.readers or lineage.cut_off:
            return False
        return not any(not each.is_finished for each in self._positions_of(lineage))

    def _times_of_folders(self) -> dict[str, int]:
        """The last change of every folder; a folder changed just now counts as changed again."""
        times = {}
        for folder in (*self._expansion.folders, *self._config.paths):
            with suppress(OSError):
                status = os.stat(folder)
                is_fresh = self._clock.now().timestamp() - status.st_mtime < _SETTLING.total_seconds()
                times[folder] = -self._clock.now().microsecond - 1 if is_fresh else status.st_mtime_ns
                if not os.path.isdir(folder):
                    times[folder] = status.st_ino
        return times

    def _wants(self, path: str) -> bool:
        config = self._config
        return wants(path, config.paths, recursive=config.recursive, include=config.include, exclude=config.exclude)

    def _lineage_for(self, path: str) -> Lineage:
        live = live_name_of(path, self._is_live)
        if live not in self._lineages:
            self._lineages[live] = Lineage(live)
        return self._lineages[live]

    def _is_live(self, path: str) -> bool:
        return path in self._lineages or path in self._expansion.files or (self._wants(path) and self._was_read(path))

    def _was_read(self, path: str) -> bool:
        return any(position.path == path for position in self._known.values())

    def _positions_of(self, lineage: Lineage) -> list[Position]:
        """Known positions of a lineage that no reader continues, oldest change first."""
        found = [
            position
            for position in self._known.values()
            if position.generation not in self._readers
            and (position.path == lineage.live or live_name_of(position.path, lineage.live.__eq__) == lineage.live)
        ]
        return sorted(found, key=lambda position: position.updated_at)

    # -- what they hold -----------------------------------------------------------------------------------------

    def _look(self, lineage: Lineage) -> None:
        self._unread[lineage.live] = None
        # A file of which nothing was read yet may be copied and truncated without leaving a trace in its reader.
        places = {reader.place for reader in lineage.readers if reader.read_offset}
        for path in (lineage.live, *lineage.wanted):
            facts = self._facts_of(path)
            before = lineage.seen.get(path)
            is_same = facts == before or (facts and before and facts.place == before.place and facts.place in places)
            if not is_same or path not in lineage.seen:
                lineage.is_dirty = True
                lineage.retry_at = 0.0
            lineage.seen[path] = facts
        if lineage.is_dirty and self._clock.monotonic() >= lineage.retry_at:
            self._resolve(lineage)

    def _facts_of(self, path: str) -> FileFacts | None:
        try:
            return FileFacts.of(os.stat(path))
        except FileNotFoundError:
            if path in self._expansion.named:
                self._fail(path, "missing", f"'{path}' does not exist: check its spelling, or wait until it is written")
        except OSError as error:
            self._fail(path, "unreadable", f"'{path}' cannot be examined: {error.strerror}")
        return None

    def _resolve(self, lineage: Lineage) -> None:
        """Find out which of a lineage's files is which generation, on a picture that did not change meanwhile."""
        has_history = bool(lineage.readers or lineage.cut_off or self._positions_of(lineage))
        for _ in range(_RESOLVE_TRIES):
            self._meet(lineage)
            self._set_overwritten_aside(lineage)
            candidates = lineage.candidates(with_siblings=has_history)
            recogniser = Recogniser(candidates, is_settling=self._is_settling, is_fresh=self._is_fresh)
            try:
                self._recognise(lineage, recogniser)
                again = lineage.candidates(with_siblings=has_history)
                is_still = [each.place for each in again] == [each.place for each in candidates]
                if is_still and not self._set_overwritten_aside(lineage):
                    self._adopt(lineage, recogniser, has_history=has_history)
                    return
            finally:
                recogniser.close()
        lineage.is_dirty, lineage.retry_at = True, 0.0  # files change names faster than they can be looked at

    def _meet(self, lineage: Lineage) -> None:
        for reader in lineage.readers:
            with suppress(SourceError):
                reader.meet()

    def _set_overwritten_aside(self, lineage: Lineage) -> bool:
        """Close the readers whose bytes are gone; whether there were any."""
        gone = [reader for reader in lineage.readers if self._is_overwritten(reader)]
        for reader in gone:
            self._drop(lineage, reader)
            lineage.cut_off[reader.generation] = reader
        return bool(gone)

    def _is_overwritten(self, reader: GenerationReader) -> bool:
        with suppress(SourceError):
            return reader.is_overwritten()
        return False

    def _recognise(self, lineage: Lineage, recogniser: Recogniser) -> None:
        result = recogniser.result
        positions = self._positions_of(lineage)
        recogniser.bind_exhausted(self._exhausted)
        recogniser.bind_readers(self._readers.values())
        recogniser.bind_by_place(lambda place: self._left_at(place, lineage.cut_off, is_read=True))
        recogniser.set_twins_aside(lineage.live, lineage.readers)
        unfinished = [each for each in positions if not each.is_finished]
        newest = result.newest_read()
        is_new = any(
            each.is_rotated and not result.is_bound(i) for i, each in enumerate(recogniser.candidates) if i > newest
        )
        if newest < 0 or is_new or not all(map(result.is_located, unfinished)):
            recogniser.bind_finished([each for each in positions if each.is_finished])
            recogniser.bind_by_content(unfinished, lineage.cut_off)
        recogniser.bind_by_content(self._moved_here(lineage), {})
        recogniser.bind_by_place(lambda place: self._left_at(place, lineage.cut_off, is_read=False))
        lost = [each for each in unfinished if not result.is_located(each)]
        recogniser.set_copies_aside(lost, lineage.cut_off)
        recogniser.set_twins_aside(lineage.live, lineage.readers)
        result.lost = [] if result.is_undecided else lost

    def _left_at(self, place: tuple[int, int], cut_off: Container[int], *, is_read: bool) -> list[Position]:
        """Positions that no reader continues, in the file that stood at a place. Those of which nothing was read yet
        (not `is_read`) have no other mark than the place, which another file may have taken over."""
        return [
            position
            for position in self._known.values()
            if (position.device, position.inode) == place
            and position.generation not in self._readers
            and position.generation not in cut_off
            and (position.head_length > 0) is is_read
            and (is_read or not position.is_finished)
        ]

    def _moved_here(self, lineage: Lineage) -> list[Position]:
        """Unfinished positions of files that are gone from their own place: theirs may be the content found here."""
        return [
            position
            for position in self._known.values()
            if not position.is_finished
            and position.generation not in self._readers
            and position.path not in lineage.wanted
            and not os.path.exists(position.path)
        ]

    def _is_settling(self, facts: FileFacts) -> bool:
        return self._clock.now().timestamp() - facts.modified < max(self._grace, 1.0)

    def _is_fresh(self, facts: FileFacts) -> bool:
        return self._clock.now().timestamp() - facts.modified < _RETRY_SECONDS

    def _adopt(self, lineage: Lineage, recogniser: Recogniser, *, has_history: bool) -> None:
        result, candidates = recogniser.result, recogniser.candidates
        lineage.is_dirty = result.is_undecided
        lineage.retry_at = self._clock.monotonic() + _RETRY_SECONDS
        since = max(
            (
                *(each.updated_at.timestamp() for each in self._positions_of(lineage)),
                *(reader.begun_at.timestamp() for reader in lineage.readers),
            ),
            default=0.0,
        )
        newest = result.newest_read()
        self._exhausted.update(dict.fromkeys(candidates[index].facts for index in result.done))
        for lost in result.lost:
            self._give_up(lineage, lost, candidates)
        ordered = [reader for reader in lineage.readers if reader not in result.open_readers.values()]
        awaited = {candidates[index].facts.place for index in result.empty}
        has_moved = False
        for index, candidate in enumerate(candidates):
            is_newer = index > newest if newest >= 0 else candidate.facts.modified > since - _STAMP_SLACK
            is_newer |= candidate.facts.place in lineage.awaited
            reader = result.open_readers.get(index)
            if reader is None and index not in result.done and index not in result.twins:
                position = result.resumed.get(index)
                if not has_moved and (position or candidate.is_wanted or (has_history and is_newer)):
                    reader = self._open(lineage, recogniser, index, position)
                    has_moved = reader is None and lineage.retry_at == 0.0  # newer ones wait for the next look
            if reader is not None and not any(reader in each.readers for each in self._others(lineage)):
                ordered.append(reader)
            elif candidate.facts.place in lineage.awaited and index not in result.done | result.twins:
                awaited.add(candidate.facts.place)
        lineage.readers = list(dict.fromkeys(ordered))
        lineage.awaited = awaited
        for path, message in result.errors.items():
            if path in lineage.wanted:
                self._fail(path, "unreadable", message)

    def _others(self, lineage: Lineage) -> Iterator[Lineage]:
        return (each for each in self._lineages.values() if each is not lineage)

    def _open(
        self, lineage: Lineage, recogniser: Recogniser, index: int, position: Position | None
    ) -> GenerationReader | None:
        candidate = recogniser.candidates[index]
        try:
            self._check_nature(candidate, recogniser.content(index))
            content = recogniser.take(index)
            if content.facts().place != candidate.facts.place:
                content.close()
                lineage.is_dirty, lineage.retry_at = True, 0.0
                return None
        except SourceError as error:
            if candidate.is_wanted:
                state = "not text" if isinstance(error, _NotText) else "unreadable"
                self._fail(candidate.path, state, str(error))
            lineage.is_dirty = not isinstance(error, _NotText)
            return None
        self._recover(candidate.path)
        path = candidate.path if candidate.is_wanted and not lineage.cut_off else lineage.live
        reader = self._resumed(content, path, position) if position else self._begun(lineage, content, path)
        lineage.cut_off.pop(reader.generation, None)
        self._readers[reader.generation] = reader
        self._unread[lineage.live] = None
        return reader

    def _resumed(self, content: Content, path: str, position: Position) -> GenerationReader:
        return GenerationReader(
            content,
            path,
            position.generation,
            self.settings,
            offset=position.offset,
            encoding=position.encoding,
            first_modified_ns=position.first_modified_ns,
        )

    def _begun(self, lineage: Lineage, content: Content, path: str) -> GenerationReader:
        offset, encoding = 0, ""
        if self._is_first_pass and self._skips_what_is_there and not content.is_compressed:
            offset, encoding = last_line_start(content, self.settings)
        fallback = next(
            (each.encoding for each in (*lineage.cut_off.values(), *lineage.readers) if each.encoding), "utf-8"
        )
        reader = GenerationReader(
            content,
            path,
            new_generation(self._random_bits),
            self.settings,
            offset=offset,
            encoding=encoding,
            fallback_encoding=fallback,
        )
        self._give(empty_batch(self.settings, reader.position()))
        return reader

    def _check_nature(self, candidate: Candidate, content: Content) -> None:
        start = content.read_at(0, PROBE_BYTES)
        is_named = candidate.path in self._expansion.named
        kind = binary_kind(start) if is_named else looks_binary(start)
        if kind is not None:
            raise _NotText(
                f"'{candidate.path}' holds {kind}, not text: leave it out, or name the text file that is meant"
            )

    # -- reading ------------------------------------------------------------------------------------------------

    def _read_rounds(self) -> None:
        """A block of every lineage in turn, so that a backlog does not keep the others waiting."""
        budget = _BLOCKS_A_STEP * self.settings.block_bytes
        waiting = deque(self._unread)
        self._unread = {}
        while waiting and budget > 0:
            live = waiting.popleft()
            lineage = self._lineages.get(live)
            if lineage is None:
                continue
            taken = self._read_one(lineage)
            if taken is not None:
                budget -= max(taken, 1)
                waiting.append(live)
        self._unread = dict.fromkeys((*waiting, *self._unread))

    def _read_one(self, lineage: Lineage) -> int | None:
        """Bytes read from the oldest file of a lineage that is not at its end; None when all are."""
        for reader in list(lineage.readers):
            before = reader.read_offset
            try:
                if reader.is_unmet and not self._meet_first(lineage, reader):
                    continue
                if reader not in lineage.readers:
                    return 0
                batch = reader.read()
                if reader.is_at_end:
                    damage_of(reader.content)
            except Overwritten:
                self._cut_off(lineage, reader)
                return 0
            except DamagedFile as damage:
                self._end_damaged(lineage, reader, damage, batch)
                return reader.read_offset - before
            except SourceError as error:
                self._fail(reader.path, "unreadable", str(error))
                self._drop(lineage, reader)
                return None
            if batch is not None:
                self._give(batch)
            if reader.read_offset > before:
                return reader.read_offset - before
        return None

    def _meet_first(self, lineage: Lineage, reader: GenerationReader) -> bool:
        """Before the first byte of a file is read: look for what was copied away from it since it was opened. Whether
        there is something to read."""
        if not reader.content.facts().size:
            reader.is_at_end = True
            return False
        if self._is_first_pass:
            reader.meet()
        else:
            self._resolve(lineage)
        return not reader.is_unmet

    def _cut_off(self, lineage: Lineage, reader: GenerationReader) -> None:
        self._drop(lineage, reader)
        lineage.cut_off[reader.generation] = reader
        lineage.retry_at = 0.0
        self._resolve(lineage)

    def _drop(self, lineage: Lineage, reader: GenerationReader) -> None:
        """Close a reader whose generation is not over; its position stays known."""
        self._known[reader.generation] = reader.position()
        reader.close()
        lineage.readers.remove(reader)
        del self._readers[reader.generation]
        lineage.is_dirty = True
        lineage.retry_at = self._clock.monotonic() + _RETRY_SECONDS

    def _end_damaged(
        self, lineage: Lineage, reader: GenerationReader, damage: DamagedFile, batch: EntryBatch | None
    ) -> None:
        if batch is not None:
            self._give(batch)
        if damage.is_cut_off and self._is_settling(reader.content.facts()):
            self._drop(lineage, reader)
        else:
            self._finish(lineage, reader, (self._note("gap", str(damage), reader.path),))

    def _give_up(self, lineage: Lineage, position: Position, candidates: Sequence[Candidate]) -> None:
        """A generation whose bytes are nowhere any more: say so, once, and end it."""
        reader = lineage.cut_off.pop(position.generation, None)
        here = next((each for each in candidates if each.facts.place == (position.device, position.inode)), None)
        lost = max(0, reader.last_size - reader.read_offset) if reader else 0
        if here is None:
            kind, detail = "disappeared", "is gone; what was written after the last read is not known"
        elif reader or here.facts.size < position.offset:
            kind, detail = (
                "truncated",
                f"was truncated after byte {position.offset} was read; it is read from its start",
            )
        else:
            kind, detail = "replaced", "holds other content than before; it is read from its start"
        notes = (self._note(kind, f"'{position.path}' {detail}", position.path, bytes_lost=lost),)
        if reader is not None:
            batch = reader.flush(final=True, is_finished=True, notes=notes)
            assert batch is not None
        else:
            batch = empty_batch(
                self.settings,
                replace(position, is_finished=True, updated_at=self._clock.now()),
                notes=notes if position.head_length else (),
            )
        self._give(batch)

    # -- time passes --------------------------------------------------------------------------------------------

    def _tend(self, lineage: Lineage) -> None:
        """Flush a last line that stays without end; end generations that are over."""
        now = self._clock.monotonic()
        self._flush_idle(lineage, now)
        live_facts = lineage.seen.get(lineage.live)
        live_place = live_facts.place if live_facts else None
        rotated = [reader for reader in lineage.readers if reader.place != live_place]
        for count, reader in enumerate(reversed(rotated), 1):
            if not reader.is_at_end:
                continue
            is_succeeded = live_place is not None or not self._has_name(reader)
            is_still = now - reader.grew_at >= self._grace or count > _MOST_ROTATED_OPEN
            if reader.content.is_compressed or (is_succeeded and is_still):
                self._finish(lineage, reader)

    def _flush_idle(self, lineage: Lineage, now: float) -> None:
        if self._config.idle_flush is None:
            return
        patience = self._config.idle_flush.total_seconds()
        for reader in lineage.readers:
            if reader.is_at_end and reader.has_unfinished_line and now - reader.grew_at >= patience:
                batch = reader.flush(final=False)
                if batch is not None:
                    self._give(batch)

    def _has_name(self, reader: GenerationReader) -> bool:
        with suppress(SourceError):
            return reader.content.facts().links > 0
        return False

    def _finish(self, lineage: Lineage, reader: GenerationReader, notes: tuple[LedgerNote, ...] = ()) -> None:
        batch = reader.flush(final=True, is_finished=True, notes=notes)
        assert batch is not None
        self._give(batch)
        reader.close()
        lineage.readers.remove(reader)
        del self._readers[reader.generation]

    # -- saying so ----------------------------------------------------------------------------------------------

    def _give(self, batch: EntryBatch) -> None:
        if batch.position is not None:
            self._known[batch.generation] = batch.position
        self._out.append(batch)

    def _note(self, kind: str, detail: str, path: str, *, bytes_lost: int = 0) -> LedgerNote:
        log.warning("source_note", source=self._config.id, kind=kind, path=path, bytes_lost=bytes_lost)
        return LedgerNote(self._config.id, kind, detail, self._clock.now(), path, bytes_lost)

    def _fail(self, path: str, state: str, message: str) -> None:
        """Remember what is wrong with a path; noted in the ledger when it is new."""
        if self._errors.get(path) == (state, message):
            return
        self._errors[path] = (state, message)
        kind = "disappeared" if state == "missing" and path in self._by_path and self._was_read(path) else "unreadable"
        self._give(empty_batch(self.settings, None, notes=(self._note(kind, message, path),), path=path))

    def _recover(self, path: str) -> None:
        if self._errors.pop(path, None) is not None:
            log.info("source_path_resumed", source=self._config.id, path=path)
            note = LedgerNote(self._config.id, "resumed", f"'{path}' is read again", self._clock.now(), path)
            self._give(empty_batch(self.settings, None, notes=(note,), path=path))

    def _unmatched(self) -> list[str]:
        files = self._expansion.files
        return [
            f"paths[{index}]: '{path}' matches no file: check its spelling, or wait until a file comes"
            for index, path in enumerate(self._config.paths)
            if not any(self._is_meant_by(path, file) for file in files)
        ]

    def _is_meant_by(self, path: str, file: str) -> bool:
        return wants(file, (path,), recursive=self._config.recursive, include=("*",), exclude=())

    def _statuses(self) -> Iterator[FileStatus]:
        shown = set()
        for lineage in self._lineages.values():
            live = lineage.seen.get(lineage.live)
            for reader in lineage.readers:
                is_rotated = live is not None and reader.place != live.place
                shown.add(reader.path)
                yield FileStatus(
                    path=reader.path,
                    state="rotated" if is_rotated else ("following" if reader.is_at_end else "reading"),
                    generation=reader.generation,
                    offset=reader.offset,
                    size=reader.last_size,
                    lag_bytes=reader.lag_bytes,
                    encoding=reader.encoding,
                    error=self._errors.get(reader.path, ("", ""))[1],
                )
        for path, (state, message) in self._errors.items():
            if path not in shown:
                yield FileStatus(path=path, state=state, error=message)


class _NotText(SourceUnreadable):
    """The file holds something else than text."""
