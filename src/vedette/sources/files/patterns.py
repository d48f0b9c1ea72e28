"""Which files a source means right now."""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

MOST_FILES: Final = 20_000


@dataclass(slots=True)
class Expansion:
    """What patterns stand for. `files` in a stable order, each once; `named` are those a person named one by one
    (also when missing). `folders` hold or will hold the files. `problems` say what is wrong, by path."""

    files: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    folders: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def is_pattern(path: str) -> bool:
    """Whether a path is a glob. An existing file with brackets in its name is itself."""
    return glob.has_magic(path) and not os.path.lexists(path)


def expand(paths: Sequence[str], *, recursive: bool, include: Sequence[str], exclude: Sequence[str]) -> Expansion:
    """The regular files that `paths` stand for. Blocks; never raises for what the file system holds.

    A file named one by one is taken whatever its name, through symlinks; in folders `include` and `exclude` decide
    (by name, or by path below the folder), and symlinks are followed to files but not to folders: no loops.
    """
    found = _Found(include, exclude)
    for path in paths:
        if is_pattern(path):
            _expand_glob(path, recursive=recursive, found=found)
        elif Path(path).is_dir():
            found.folder(path, recursive=recursive)
        else:
            found.named_file(path)
    return found.expansion()


class _Found:
    def __init__(self, include: Sequence[str], exclude: Sequence[str]) -> None:
        self._include, self._exclude = include, exclude
        self._result = Expansion()
        self._files: dict[str, None] = {}
        self._folders: dict[str, None] = {}

    def expansion(self) -> Expansion:
        self._result.files = list(self._files)
        self._result.folders = list(self._folders)
        return self._result

    def named_file(self, path: str) -> None:
        self._files[path] = None
        self._result.named.add(path)
        self._folders[str(Path(path).parent)] = None

    def watched(self, folder: str) -> None:
        """A folder that may come to hold files."""
        if os.path.isdir(folder):
            self._folders[folder] = None

    def matched(self, path: str) -> None:
        """A file that a glob matched: excluded names are left out, others are taken."""
        if not any(fnmatch(os.path.basename(path), pattern) for pattern in self._exclude):
            self._add(path)

    def folder(self, top: str, *, recursive: bool) -> None:
        waiting = [top]
        while waiting:
            folder = waiting.pop()
            self._folders[folder] = None
            try:
                entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
            except OSError as error:
                self._result.problems[folder] = f"'{folder}' cannot be listed: {error.strerror}"
                continue
            for entry in entries:
                self._take(entry, top)
            if recursive:
                waiting.extend(entry.path for entry in reversed(entries) if _is_folder(entry))

    def _take(self, entry: os.DirEntry[str], top: str) -> None:
        if self._wants(entry.name, os.path.relpath(entry.path, top)):
            try:
                if entry.is_file():
                    self._add(entry.path)
            except OSError as error:
                self._result.problems[entry.path] = f"'{entry.path}' cannot be examined: {error.strerror}"

    def _wants(self, name: str, below: str) -> bool:
        return _fits(name, below, self._include) and not _fits(name, below, self._exclude)

    def _add(self, path: str) -> None:
        if len(self._files) < MOST_FILES:
            self._files[path] = None
            self._folders[str(Path(path).parent)] = None
        else:
            top = next(iter(self._folders))
            self._result.problems[top] = f"more than {MOST_FILES} files match, narrow the paths or the include patterns"


def _expand_glob(path: str, *, recursive: bool, found: _Found) -> None:
    fixed = Path(path)
    while glob.has_magic(str(fixed)):
        fixed = fixed.parent
    found.watched(str(fixed))
    parent = os.path.dirname(path)
    for folder in glob.glob(parent, recursive=True) if glob.has_magic(parent) else ():
        found.watched(folder)
    for match in sorted(glob.glob(path, recursive=True)):
        try:
            mode = Path(match).stat().st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode):
            found.matched(match)
        elif stat.S_ISDIR(mode) and recursive:
            found.folder(match, recursive=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def wants(path: str, paths: Sequence[str], *, recursive: bool, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether `expand` would give `path` if it existed."""
    name = os.path.basename(path)
    for wanted in paths:
        if path == wanted:
            return True
        if is_pattern(wanted):
            if fnmatch(path, wanted) and not any(fnmatch(name, pattern) for pattern in exclude):
                return True
        elif path.startswith(wanted.rstrip("/") + "/"):
            below = os.path.relpath(path, wanted)
            is_within = recursive or "/" not in below
            if is_within and _fits(name, below, include) and not _fits(name, below, exclude):
                return True
    return False


def _fits(name: str, below: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) or fnmatch(below, pattern) for pattern in patterns)
