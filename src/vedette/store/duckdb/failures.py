"""What an error of the database means for those who call the store."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

import duckdb

from vedette.model.errors import StoreBroken, StoreError, StoreFull, StoreLocked

_FULL: Final = ("no space left", "disk quota exceeded", "file too large")
_DEVICE: Final = (
    "input/output error", "read-only file system", "too many open files", "permission denied", "cannot open file",
    "no such file",
)  # fmt: skip
_LOCKED: Final = ("could not set lock", "conflicting lock")
_NEWER: Final = ("newer version of duckdb", "different version", "storage version", "newer duckdb")
_FULL_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def refusal(error: duckdb.Error | OSError, path: Path) -> StoreError:
    """The StoreError that tells a caller what happened and what to do."""
    text = str(error).lower()
    line = str(error).splitlines()[0] if str(error) else type(error).__name__
    if (isinstance(error, OSError) and error.errno in _FULL_ERRNOS) or any(sign in text for sign in _FULL):
        return StoreFull(f"no space is left for {path}; free some on its disk, or lower the retention")
    if any(sign in text for sign in _LOCKED):
        return StoreLocked(f"{path} is in use by another process; stop it, or choose another folder with --data-dir")
    if any(sign in text for sign in _NEWER):
        return StoreError(f"{path} was written by a newer version of the database ({line}); use the newer program")
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreBroken(
            f"the database ran out of the memory it may use ({line}); narrow the query or raise the limit"
        )
    if isinstance(error, duckdb.InterruptException):
        return StoreError("the query was interrupted because the store is being closed")
    return StoreBroken(f"the database failed ({line}) and is being reopened; the same operation may be repeated")


def is_fatal(error: duckdb.Error) -> bool:
    """True when the database must be reopened before it works again."""
    kinds = (duckdb.FatalException, duckdb.InternalException, duckdb.IOException)
    return isinstance(error, kinds) or "invalidated" in str(error).lower()


def is_corruption(error: duckdb.Error) -> bool:
    """True when a file cannot be opened because of what it holds, not because of where it lies or who uses it."""
    text = str(error).lower()
    elsewhere = (*_FULL, *_DEVICE, *_LOCKED, *_NEWER)
    return not isinstance(error, duckdb.OutOfMemoryException) and not any(sign in text for sign in elsewhere)
