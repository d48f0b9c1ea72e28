"""The bytes of a file, plain or compressed, by offset."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import Protocol

from vedette.model.errors import SourceError, SourceUnreadable


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the file system says about a file."""

    device: int
    inode: int
    size: int
    modified_ns: int
    links: int = 1

    @classmethod
    def of(cls, status: os.stat_result) -> FileFacts:
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_nlink)

    @property
    def modified(self) -> float:
        """Seconds since 1970."""
        return self.modified_ns / 1e9

    @property
    def place(self) -> tuple[int, int]:
        return self.device, self.inode


class Content(Protocol):
    """An open file. Blocks; not thread-safe. Offsets count decompressed bytes."""

    is_compressed: bool

    def facts(self) -> FileFacts:
        """Of the open file, also when its name is gone."""
        ...

    def read_at(self, offset: int, size: int) -> bytes:
        """At most `size` bytes; fewer only at the end. Raises SourceError."""
        ...

    def close(self) -> None: ...


class PlainContent:
    """A file as it stands."""

    is_compressed = False

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = open_regular(path)

    def facts(self) -> FileFacts:
        try:
            return FileFacts.of(os.fstat(self._file))
        except OSError as error:
            raise SourceError(f"'{self.path}' cannot be examined: {error.strerror}") from error

    def read_at(self, offset: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            try:
                part = os.pread(self._file, size, offset)
            except OSError as error:
                raise SourceError(f"'{self.path}' cannot be read at byte {offset}: {error.strerror}") from error
            if not part:
                break
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def open_regular(path: str) -> int:
    """A descriptor of a regular file, for reading. Never waits, not even at a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise SourceUnreadable(_reason(path, error)) from error
    if not _is_regular(descriptor):
        is_folder = os.path.isdir(path)
        os.close(descriptor)
        raise SourceUnreadable(
            f"'{path}' is a folder, not a file: name the files in it, or make the folder itself a path of the source"
            if is_folder
            else f"'{path}' is no regular file: name a text file"
        )
    return descriptor


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _reason(path: str, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"'{path}' does not exist: check its spelling, or wait until it is written"
    if isinstance(error, PermissionError):
        return (
            f"'{path}' may not be read by this user: add the user to the file's group (often adm), or change its mode"
        )
    return f"'{path}' cannot be opened: {error.strerror}"
