"""A writer of log files that keeps its own record of every line: the oracle's truth."""

from __future__ import annotations

import gzip
import hashlib
import os
import random
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Written:
    """One line as it was written: `offset` is that of its first byte in its life of the file, `payload` is without
    line end, `life` counts the lives of the file (a rename begins a new one, so does a truncation)."""

    sequence: int
    path: str
    life: int
    offset: int
    payload: bytes

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.payload).hexdigest()


class LogWriter:
    """Appends numbered lines to `path` through a descriptor that stays open, as daemons do.

    Not thread-safe; every call writes its bytes at once. `written` is the truth.
    """

    def __init__(self, path: Path, *, name: str = "a", seed: int = 1) -> None:
        self.path = path
        self.written: list[Written] = []
        self._name = name
        self._random = random.Random(f"{seed} {name}")
        self._life = 0
        self._sequence = 0
        self._offset = 0
        self._unfinished = b""
        self._file = self._open()

    def close(self) -> None:
        self._file.close()

    def write(self, count: int = 1) -> None:
        """Whole lines; every eighth or so is the same text as others."""
        parts = []
        for _ in range(count):
            payload = self._payload()
            parts.append(payload + b"\n")
            self._record(payload, b"\n")
        self._file.write(b"".join(parts))

    def write_line(self, payload: bytes, end: bytes = b"\n") -> None:
        """A line of the caller's making."""
        self._record(payload, end)
        self._file.write(payload + end)

    def begin_line(self) -> None:
        """The first half of a line."""
        payload = self._payload()
        half = len(payload) // 2
        self._file.write(payload[:half])
        self._unfinished = payload

    def finish_line(self) -> None:
        """The rest of the line begun."""
        payload, self._unfinished = self._unfinished, b""
        self._record(payload, b"\n")
        self._file.write(payload[len(payload) // 2 :] + b"\n")

    def rotate(self, *, keep: int = 1000, compress_from: int | None = None) -> None:
        """As logrotate does by default: rename `log` to `log.1` (after `log.1` to `log.2` …), make a new `log`.

        Files from number `compress_from` on are gzipped. More than `keep` are deleted.
        """
        self._shift(keep)
        self.path.rename(self._numbered(1))
        self._reopen()
        self._compress(compress_from)

    def copy_and_truncate(self, *, keep: int = 1000) -> None:
        """logrotate's copytruncate; nothing is written between copy and truncation."""
        self._shift(keep)
        shutil.copyfile(self.path, self._numbered(1))
        self.truncate()

    def truncate(self) -> None:
        """Empty the file and go on at its beginning."""
        self._file.truncate(0)
        self._file.seek(0)
        self._begin_life()

    def replace(self) -> int:
        """Delete the file and make a new one; the new inode."""
        self._file.close()
        self.path.unlink()
        self._begin_life()
        self._file = self._open()
        return os.fstat(self._file.fileno()).st_ino

    @property
    def inode(self) -> int:
        return os.fstat(self._file.fileno()).st_ino

    @property
    def size(self) -> int:
        return self._offset

    def _payload(self) -> bytes:
        self._sequence += 1
        if self._sequence % 8 == 0:
            return b"the same text again and again"
        padding = "x" * self._random.choice((0, 3, 40, 200))
        return f"{self._name} line {self._sequence} {self._random.getrandbits(32):08x} {padding}".encode()

    def _record(self, payload: bytes, end: bytes) -> None:
        self.written.append(Written(len(self.written), str(self.path), self._life, self._offset, payload))
        self._offset += len(payload) + len(end)

    def _begin_life(self) -> None:
        self._life += 1
        self._offset = 0

    def _reopen(self) -> None:
        self._file.close()
        self._begin_life()
        self._file = self._open()

    def _open(self) -> FileIO:
        self.path.touch()
        file = self.path.open("r+b", buffering=0)
        file.seek(0, os.SEEK_END)
        return file

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _shift(self, keep: int) -> None:
        for number in range(keep, 0, -1):
            for suffix in ("", ".gz"):
                old = self._numbered(number).with_name(f"{self.path.name}.{number}{suffix}")
                if not old.exists():
                    continue
                if number == keep:
                    old.unlink()
                else:
                    old.rename(old.with_name(f"{self.path.name}.{number + 1}{suffix}"))

    def _compress(self, first: int | None) -> None:
        number = first
        while number is not None and number < 1000:
            plain = self._numbered(number)
            if not plain.exists():
                return
            packed = plain.with_name(f"{plain.name}.gz")
            with gzip.open(packed, "wb") as file:
                file.write(plain.read_bytes())
            plain.unlink()
            number += 1


@contextmanager
def load(writer: LogWriter) -> Iterator[None]:
    """Write without pause while the block runs."""
    done = threading.Event()

    def write() -> None:
        while not done.wait(0.002):
            writer.write(20)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
