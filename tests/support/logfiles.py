"""Log files as their writers make them, and what a reader of them must have given out."""

from __future__ import annotations

import gzip
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from vedette.model.entries import EntryBatch, EntryFlag
from vedette.model.positions import Position
from vedette.sources.lines import original_bytes


class SteppedClock:
    """Real wall time, because files carry it; monotonic time moves when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return self.seconds


@dataclass(eq=False)
class Content:
    """One life of a log: its bytes, whether they still stand in a file, and when it was rotated away."""

    data: bytearray = field(default_factory=bytearray)
    is_readable: bool = True
    rotated_at: float | None = None


class LogFolder:
    """A writer and a rotation at work on one log. Every operation is done on real files."""

    def __init__(self, folder: Path, clock: SteppedClock, name: str = "app.log") -> None:
        self.folder, self.clock = folder, clock
        self.live = folder / name
        self.files: dict[str, Content] = {}
        self.contents: list[Content] = []
        self.is_copying = False

    def append(self, data: bytes) -> None:
        content = self.files.get(self.live.name) or self.create()
        with self.live.open("ab") as file:
            file.write(data)
        content.data += data

    def append_late(self, data: bytes) -> None:
        """The writer still holds the file that was rotated away."""
        path = self.folder / f"{self.live.name}.1"
        with path.open("ab") as file:
            file.write(data)
        self.files[path.name].data += data

    def rotate(self, *, creates: bool = True) -> None:
        self._shift()
        if self.live.name in self.files:
            content = self._rename(self.live.name, f"{self.live.name}.1")
            content.rotated_at = self.clock.seconds
        if creates:
            self.create()

    def copytruncate(self) -> None:
        if self.live.name not in self.files:
            return
        self._shift()
        copy = f"{self.live.name}.1"
        shutil.copyfile(self.live, self.folder / copy)
        self.files[copy] = self.files[self.live.name]
        self._replace_in_place()

    def begin_copy(self, share: float) -> None:
        """The first half of a copytruncate: a copy that holds a part of the log, and perhaps nothing, so far."""
        if self.live.name not in self.files or self.is_copying:
            return
        self._shift()
        copy = f"{self.live.name}.1"
        data = self.live.read_bytes()
        (self.folder / copy).write_bytes(data[: int(share * len(data))])
        self.files[copy] = self.files[self.live.name]
        self.is_copying = True

    def end_copy(self) -> None:
        """The other half."""
        if self.is_copying:
            self.is_copying = False
            with (self.folder / f"{self.live.name}.1").open("ab") as copy:
                copy.write(self.live.read_bytes()[copy.tell() :])
            self._replace_in_place()

    def truncate(self) -> None:
        if self.live.name in self.files:
            self.files[self.live.name].is_readable = False
            self._replace_in_place()

    def regrow(self, data: bytes) -> None:
        """Truncate and write again before anyone can look."""
        self.truncate()
        self.append(data)

    def delete(self) -> None:
        if content := self.files.pop(self.live.name, None):
            content.is_readable = False
            self.live.unlink()

    def compress(self, number: int) -> None:
        name = f"{self.live.name}.{number}"
        if name not in self.files:
            return
        path = self.folder / name
        with path.open("rb") as plain, gzip.open(f"{path}.gz", "wb") as packed:
            shutil.copyfileobj(plain, packed)
        path.unlink()
        self.files[f"{name}.gz"] = self.files.pop(name)
        self.files[f"{name}.gz"].rotated_at = None

    def create(self) -> Content:
        content = Content()
        self.live.touch()
        self.files[self.live.name] = content
        self.contents.append(content)
        return content

    def _replace_in_place(self) -> None:
        with self.live.open("r+b") as file:
            file.truncate(0)
        self.create()

    def _shift(self) -> None:
        numbers = sorted(
            (int(name.removesuffix(".gz").rpartition(".")[2]), name) for name in self.files if name != self.live.name
        )
        for number, name in reversed(numbers):
            suffix = ".gz" if name.endswith(".gz") else ""
            self._rename(name, f"{self.live.name}.{number + 1}{suffix}")

    def _rename(self, old: str, new: str) -> Content:
        (self.folder / old).rename(self.folder / new)
        self.files[new] = self.files.pop(old)
        return self.files[new]


def positions_of(batches: Iterable[EntryBatch]) -> dict[int, Position]:
    return {batch.position.generation: batch.position for batch in batches if batch.position is not None}


def texts_of(batches: Iterable[EntryBatch]) -> list[str]:
    return [text for batch in batches for text in batch.frame["text"]]


def kinds_of(batches: Iterable[EntryBatch]) -> list[str]:
    return [note.kind for batch in batches for note in batch.notes]


def records_of(batches: Iterable[EntryBatch]) -> dict[int, list[tuple[int, int, bytes]]]:
    """(offset, length, bytes without line end) of every record, by generation."""
    records: dict[int, list[tuple[int, int, bytes]]] = {}
    for batch in batches:
        for offset, length, text, flags, _ in batch.frame.iter_rows():
            assert not flags & EntryFlag.CUT
            records.setdefault(batch.generation, []).append((offset, length, original_bytes(text, flags)))
    return records


def check_exactly_once(contents: list[Content], batches: Iterable[EntryBatch]) -> None:
    """Every record stands where it says in one content; none twice; nothing readable is missing."""
    covered: dict[Content, bytearray] = {content: bytearray(len(content.data)) for content in contents}
    everything = records_of(batches)
    of_generation = {
        generation: [each for each in contents if all(_stands_in(each, *record) for record in records)]
        for generation, records in everything.items()
    }
    for generation in sorted(of_generation, key=lambda each: len(of_generation[each])):
        assert of_generation[generation], f"records that were never written: {everything[generation][:3]}"
        fitting = [
            content
            for content in of_generation[generation]
            if not any(any(covered[content][offset : offset + length]) for offset, length, _ in everything[generation])
        ]
        assert fitting, f"given out twice: {everything[generation][:3]}"
        chosen = min(fitting, key=lambda content: not content.is_readable)
        for offset, length, _ in everything[generation]:
            covered[chosen][offset : offset + length] = b"\1" * length
    for content, marks in covered.items():
        if content.is_readable:
            missing = bytes(byte for byte, mark in zip(content.data, marks, strict=True) if not mark)
            assert not missing.strip(b"\r\n"), f"lost: {missing[:80]!r}"


def _stands_in(content: Content, offset: int, length: int, raw: bytes) -> bool:
    record = bytes(content.data[offset : offset + length])
    return len(record) == length and record in {raw, raw + b"\n", raw + b"\r\n"}


def wait_for_a_new_stamp(path: Path) -> None:
    """Until a write would get a later time of change than `path` has."""
    probe = path.with_name(path.name + "~probe")
    before = path.stat().st_mtime_ns
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        probe.write_bytes(b"")
        if probe.stat().st_mtime_ns > before:
            break
    probe.unlink()
