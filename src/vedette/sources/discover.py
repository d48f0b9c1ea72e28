"""The readable text logs of this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vedette.model.errors import SourceError
from vedette.sources.config import DEFAULT_EXCLUDES, LogSourceConfig
from vedette.sources.files.content import PlainContent
from vedette.sources.files.nature import PROBE_BYTES, looks_binary
from vedette.sources.files.patterns import expand
from vedette.sources.files.rotation import rotated_name

_MOST_DISCOVERED: Final = 500


@dataclass(frozen=True, slots=True)
class Discovery:
    """Sources that can be followed now, and what was left out: path to reason."""

    sources: tuple[LogSourceConfig, ...]
    skipped: dict[str, str]


def usual_log_folders(home: Path | None = None, platform: str = sys.platform) -> list[str]:
    """Where this kind of machine keeps logs."""
    home = home or Path.home()
    if platform == "darwin":
        return ["/var/log", "/Library/Logs", str(home / "Library/Logs")]
    return ["/var/log", str(home / ".local/state"), str(home / ".pm2/logs")]


def discover(folders: Sequence[str] | None = None) -> Discovery:
    """One source for each live text log below `folders` (the usual ones of this machine): rotated,
    compressed and binary files and journals are left out. Blocks."""
    sources: list[LogSourceConfig] = []
    skipped: dict[str, str] = {}
    for folder in usual_log_folders() if folders is None else folders:
        if not os.path.isdir(folder):
            continue
        # Below the home folder only names that say log; in log folders everything that is text.
        include = ("*.log",) if "/.local/" in folder + "/" else ("*",)
        found = expand([folder], recursive=True, include=include, exclude=DEFAULT_EXCLUDES)
        skipped.update(found.problems)
        for path in found.files:
            if reason := _reason_to_skip(path, found.files):
                skipped[path] = reason
            elif len(sources) >= _MOST_DISCOVERED:
                skipped[path] = f"more than {_MOST_DISCOVERED} logs were found: name it to follow it"
            else:
                sources.append(LogSourceConfig(name=os.path.relpath(path, folder), paths=(path,)))
    return Discovery(tuple(sources), skipped)


def _reason_to_skip(path: str, files: Sequence[str]) -> str:
    pure = Path(path)
    taken = rotated_name(pure.name)
    if taken.mark and str(pure.with_name(taken.root)) in files:
        return f"'{path}' is a rotated file of '{taken.root}': `vedette import` reads it"
    try:
        content = PlainContent(path)
    except SourceError as error:
        return str(error)
    try:
        kind = looks_binary(content.read_at(0, PROBE_BYTES))
    except SourceError as error:
        return str(error)
    finally:
        content.close()
    return f"'{path}' holds {kind}, not text" if kind else ""
