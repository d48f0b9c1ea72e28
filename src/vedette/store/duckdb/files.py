"""The files of a database: the file itself, its write-ahead file, one in the making, one set aside."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import duckdb
import structlog

log = structlog.get_logger(__name__)


def wal_of(path: Path) -> Path:
    """The write-ahead file."""
    return path.with_name(f"{path.name}.wal")


def new_of(path: Path) -> Path:
    """Where the file is made before it gets its name."""
    return path.with_name(f"{path.name}.new")


def clean_up(path: Path) -> None:
    """Remove what a process that died in its first start left behind."""
    for leftover in (new_of(path), wal_of(new_of(path))):
        leftover.unlink(missing_ok=True)
    if wal_of(path).exists() and not path.exists():
        orphan = _free_name(path.with_name(f"{path.name}.wal.orphan"))
        wal_of(path).rename(orphan)
        log.error("store_wal_without_database", path=str(path), set_aside=str(orphan))


def put_in_place(new: Path, path: Path) -> None:
    """Give the finished file its name, durably."""
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    new.chmod(0o600)
    new.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_content(path: Path) -> None:
    """An empty file would pass for a new database."""
    if path.stat().st_size == 0:
        raise duckdb.SerializationException(f"{path} is empty")


def aside_of(path: Path, now: datetime) -> Path:
    """A name, not taken, under which a damaged database is kept."""
    return _free_name(path.with_name(f"{path.name}.corrupt-{now:%Y%m%dT%H%M%SZ}"))


def set_aside(path: Path, aside: Path) -> str:
    """Rename what may be damaged, the write-ahead file first: without it the database is as of its last checkpoint,
    which is whole. Called again, it renames the database. What was renamed."""
    if wal_of(path).exists():
        wal_of(path).rename(wal_of(aside))
        renamed = wal_of(aside)
    else:
        path.rename(aside)
        renamed = aside
    sync_folder(path.parent)
    return str(renamed)


def _free_name(wanted: Path) -> Path:
    """The name, or the first numbered one that is not taken."""
    name, number = wanted, 1
    while name.exists() or wal_of(name).exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name


def free_bytes(path: Path) -> tuple[int, int]:
    """Bytes that may still be written beside `path`, and bytes that could be on an empty disk."""
    status = os.statvfs(path.parent)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize
