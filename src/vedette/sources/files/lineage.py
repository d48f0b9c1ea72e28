"""A live log file with everything it was rotated to: which of its files is which generation."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Final

from vedette.model.errors import SourceError
from vedette.model.positions import Position
from vedette.sources.files.compressed import CompressedContent, DamagedFile
from vedette.sources.files.content import Content, FileFacts, PlainContent
from vedette.sources.files.identity import fingerprint, is_copy_of, is_same_content
from vedette.sources.files.reader import GenerationReader, damage_of
from vedette.sources.files.rotation import COMPRESSED, age_key, rotated_name

_MOST_FINISHED_COMPARED: Final = 32


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may hold a generation of a lineage. `is_wanted`: the source's paths mean it; the others are
    only rotated siblings."""

    path: str
    facts: FileFacts
    is_wanted: bool

    @property
    def place(self) -> tuple[str, tuple[int, int]]:
        """Its name and its inode."""
        return self.path, self.facts.place

    @property
    def is_compressed(self) -> bool:
        return self.path.endswith(COMPRESSED)

    @property
    def is_rotated(self) -> bool:
        return bool(rotated_name(PurePath(self.path).name).mark)


@dataclass(slots=True)
class Lineage:
    """One live path. `readers` oldest first; a newer one is not read before the older ones are at their end.

    `cut_off` holds readers whose bytes stand no longer in their file, until the generation is found again or given up.
    `awaited` are rotated files that were empty when they were new: what comes into them was not read before.
    """

    live: str
    wanted: set[str] = field(default_factory=set)
    readers: list[GenerationReader] = field(default_factory=list)
    cut_off: dict[int, GenerationReader] = field(default_factory=dict)
    seen: dict[str, FileFacts | None] = field(default_factory=dict)
    awaited: set[tuple[int, int]] = field(default_factory=set)
    is_dirty: bool = True
    retry_at: float = 0.0

    def candidates(self, *, with_siblings: bool) -> list[Candidate]:
        """Its files as they are now, oldest first. Blocks; unreadable folders look empty."""
        paths = set(self.wanted)
        if with_siblings:
            paths.update(_siblings(self.live))
        found = []
        for path in paths:
            with suppress(OSError):
                status = os.stat(path)
                if os.path.isfile(path):
                    found.append(Candidate(path, FileFacts.of(status), path in self.wanted))
        return sorted(found, key=lambda each: (each.path == self.live, *age_key(each.path, each.facts.modified_ns)))


def live_name_of(path: str, is_live: Callable[[str], bool]) -> str:
    """The live path that a path is a rotated file of, by `is_live`; the path itself when there is none."""
    pure = PurePath(path)
    name = pure.name
    while (root := rotated_name(name).root) != name:
        name = root
        if is_live(str(pure.with_name(name))):
            return str(pure.with_name(name))
    return path


def _siblings(live: str) -> Iterator[str]:
    folder, name = Path(live).parent, PurePath(live).name
    stem = PurePath(name).stem
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for other in names:
        if other == name or (other.startswith(stem) and _descends_from(other, name)):
            yield str(folder / other)


def _descends_from(name: str, live: str) -> bool:
    while (root := rotated_name(name).root) != name:
        if root == live:
            return True
        name = root
    return False


@dataclass(slots=True)
class Recognition:
    """Which candidate is which known generation. Indices are those of the candidates.

    `open_readers` are read already; `resumed` continue behind a position; `done` hold nothing new;
    `twins` are copies of what is being read, `empty` those among them that may become one;
    `lost` are unfinished positions found nowhere (not those that a file which cannot be read now may hold:
    `is_undecided`). `unknown` are the rest.
    """

    open_readers: dict[int, GenerationReader] = field(default_factory=dict)
    resumed: dict[int, Position] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)
    twins: set[int] = field(default_factory=set)
    empty: set[int] = field(default_factory=set)
    lost: list[Position] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    is_undecided: bool = False

    def is_bound(self, index: int) -> bool:
        return any(index in known for known in (self.open_readers, self.resumed, self.done, self.twins))

    def is_located(self, position: Position) -> bool:
        return any(each.generation == position.generation for each in self.resumed.values())

    def newest_read(self) -> int:
        """The highest index of a candidate of which something was read, -1 for none. Where nothing was read yet, other
        content may have come and gone unseen."""
        read = [index for index, reader in self.open_readers.items() if reader.read_offset]
        resumed = [index for index, position in self.resumed.items() if position.offset]
        return max((*read, *resumed, *self.done), default=-1)


class Recogniser:
    """Compares candidates with positions; opens each candidate at most once and keeps it until `close`."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        *,
        is_settling: Callable[[FileFacts], bool],
        is_fresh: Callable[[FileFacts], bool],
    ) -> None:
        self.candidates = candidates
        self.result = Recognition()
        self._contents: dict[int, Content] = {}
        self._in_place: set[int] = set()
        self._is_settling = is_settling
        self._is_fresh = is_fresh

    def bind_exhausted(self, exhausted: Container[FileFacts]) -> None:
        """Files that were found to hold nothing new before, and have not changed since."""
        self.result.done.update(i for i, each in enumerate(self.candidates) if each.facts in exhausted)

    def bind_readers(self, readers: Iterable[GenerationReader]) -> None:
        """Files that are being read, by place."""
        by_place = {reader.place: reader for reader in readers}
        for index, candidate in self._unbound():
            if reader := by_place.get(candidate.facts.place):
                self.result.open_readers[index] = reader

    def bind_by_place(self, positions_at: Callable[[tuple[int, int]], Sequence[Position]]) -> None:
        for index, candidate in self._unbound():
            for position in positions_at(candidate.facts.place):
                if position.is_finished and _is_rewritten(position, candidate):
                    continue
                if self._is_same(position, index, is_same_place=not candidate.is_compressed):
                    self._bind(index, position)
                    self._in_place.add(position.generation)
                    break

    def bind_finished(self, positions: Sequence[Position]) -> None:
        """Copied or compressed files of finished generations, newest first: they end where reading ended.

        Logs that say the same every day are alike in everything but time: a plain file that was written after reading
        ended is another generation, and one that is still in its place has no plain copy."""
        for position in reversed(positions[-_MOST_FINISHED_COMPARED:]):
            is_in_place = position.generation in self._in_place
            for index, candidate in self._unbound():
                if not candidate.is_compressed and (is_in_place or _is_rewritten(position, candidate)):
                    continue
                if self._is_same(position, index, is_same_place=False) and self._ends_at(index, position.offset):
                    self.result.done.add(index)
                    break

    def bind_by_content(self, positions: Iterable[Position], cut_off: Mapping[int, GenerationReader]) -> None:
        """Copied or compressed files of unfinished generations; those read furthest say most about their content.
        A reader still knows what it read of the last line, and is content with nothing less."""
        for position in sorted(positions, key=lambda each: -each.offset):
            if self.result.is_located(position):
                continue
            reader = cut_off.get(position.generation)
            for index, _ in self._unbound():
                if (
                    self._ask(index, reader.is_read_from)
                    if reader
                    else self._is_same(position, index, is_same_place=False)
                ):
                    self._bind(index, position)
                    break

    def set_copies_aside(self, lost: Sequence[Position], cut_off: Mapping[int, GenerationReader]) -> None:
        """A rotated file that is the beginning of a generation read further than it reaches holds nothing new: what
        copytruncate copied while the writer went on."""
        for index, candidate in self._unbound():
            if candidate.is_compressed or not candidate.is_rotated:
                continue
            for position in lost:
                reader = cut_off.get(position.generation)
                has_read = reader.has_read if reader else partial(_is_beginning, position)
                if self._ask(index, has_read):
                    self.result.done.add(index)

    def set_twins_aside(self, live: str, readers: Iterable[GenerationReader]) -> None:
        """A rotated file that is a copy of one being read is not read beside it: copytruncate makes it of the live
        file before it truncates, and then it continues that generation."""
        live_places = {each.facts.place for each in self.candidates if each.path == live}
        originals = [(reader.content, reader.first_modified_ns) for reader in readers]
        originals += [(self.content(i), position.first_modified_ns) for i, position in self.result.resumed.items()]
        for index, candidate in self._unbound():
            if candidate.path == live and self._ask(index, _has_bytes):
                originals.append((self.content(index), candidate.facts.modified_ns))
        plain = [each for each in originals if not each[0].is_compressed]
        for index, candidate in self._unbound():
            if candidate.is_rotated and not candidate.facts.size and self._is_fresh(candidate.facts):
                self.result.twins.add(index)  # perhaps a copy that is just being made
                self.result.empty.add(index)
                self.result.is_undecided = True
            elif (
                candidate.is_rotated
                and candidate.path != live
                and any(
                    _may_be_copy(candidate, original.facts(), since, is_live=original.facts().place in live_places)
                    and self._ask(index, partial(is_copy_of, original=original))
                    for original, since in plain
                )
            ):
                self.result.twins.add(index)

    def content(self, index: int) -> Content:
        """The opened candidate. Raises SourceError."""
        if index not in self._contents:
            candidate = self.candidates[index]
            content: Content = (
                CompressedContent(candidate.path) if candidate.is_compressed else PlainContent(candidate.path)
            )
            self._contents[index] = content
        return self._contents[index]

    def take(self, index: int) -> Content:
        """The opened candidate, now the caller's to close. Raises SourceError."""
        content = self.content(index)
        del self._contents[index]
        return content

    def close(self) -> None:
        for content in self._contents.values():
            content.close()
        self._contents.clear()

    def _unbound(self) -> list[tuple[int, Candidate]]:
        return [(i, each) for i, each in enumerate(self.candidates) if not self.result.is_bound(i)]

    def _bind(self, index: int, position: Position) -> None:
        content = self.content(index)
        has_more = content.is_compressed or content.facts().size > position.offset
        if position.is_finished and (content.is_compressed or not has_more):
            self.result.done.add(index)
        else:
            self.result.resumed[index] = position

    def _is_same(self, position: Position, index: int, *, is_same_place: bool) -> bool:
        def is_same(content: Content) -> bool:
            if is_same_content(position, content, is_same_place=is_same_place):
                return True
            self.result.is_undecided |= self._is_being_written(content)
            return False

        return self._ask(index, is_same)

    def _ends_at(self, index: int, offset: int) -> bool:
        return self._ask(index, lambda each: not each.read_at(offset, 1) and not self._is_being_written(each))

    def _is_being_written(self, content: Content) -> bool:
        """Whether a compressed file ends too early, but was changed so recently that its end may yet come."""
        try:
            damage_of(content)
        except DamagedFile as damage:
            return damage.is_cut_off and self._is_settling(content.facts())
        return False

    def _ask(self, index: int, question: Callable[[Content], bool]) -> bool:
        """The answer of a candidate's content; no, and undecided, where it cannot be read."""
        try:
            return question(self.content(index))
        except SourceError as error:
            self.result.errors[self.candidates[index].path] = str(error)
            self.result.is_undecided = True
            return False


def _is_beginning(position: Position, content: Content) -> bool:
    """Whether a file is shorter than what was read, begins alike, and was complete before that was read."""
    facts = content.facts()
    if facts.size >= position.offset or not position.head_length:
        return False
    if facts.modified_ns > position.updated_at.timestamp() * 1e9:
        return False
    head = content.read_at(0, position.head_length)
    return len(head) == position.head_length and fingerprint(head) == position.head_hash


def _has_bytes(content: Content) -> bool:
    return content.facts().size > 0


def _is_rewritten(position: Position, candidate: Candidate) -> bool:
    """Whether a file that has the size which reading ended at was written since: if its bytes are the same, they are so
    again. A log may say the same thing every day, in an inode that is free again."""
    facts = candidate.facts
    if candidate.is_compressed or not position.modified_ns:
        return False
    return facts.size == position.offset and facts.modified_ns > position.modified_ns


def _may_be_copy(candidate: Candidate, original: FileFacts, since_ns: int, *, is_live: bool) -> bool:
    """Whether name and times allow a rotated file to be a copy of `original`, first met with the stamp `since_ns`. What
    is alike without that is another generation: logs may begin with, or be, the same again."""
    if candidate.is_compressed:
        return True
    is_full = candidate.facts.size == original.size
    return is_live and candidate.facts.modified_ns >= (original.modified_ns if is_full else since_ns)
