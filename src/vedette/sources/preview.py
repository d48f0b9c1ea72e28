"""What a path holds, before it becomes a source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vedette.model.errors import SourceError
from vedette.sources.config import LogSourceConfig
from vedette.sources.encodings import SNIFF_BYTES, sniff
from vedette.sources.files.compressed import PACKED, CompressedContent
from vedette.sources.files.content import Content, PlainContent
from vedette.sources.files.nature import looks_binary
from vedette.sources.files.patterns import expand
from vedette.sources.lines import LineSplitter
from vedette.sources.members import members_at_the_beginning

_SAMPLE_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class FilePreview:
    """One file: its first lines, or in one sentence why it cannot be followed."""

    path: str
    size: int
    encoding: str
    lines: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SourcePreview:
    """What a source would read. `matches` counts every file, `files` shows the first ones."""

    matches: int
    total_bytes: int
    files: tuple[FilePreview, ...]
    problems: tuple[str, ...]

    @property
    def is_usable(self) -> bool:
        return any(not each.problem for each in self.files)


def preview_source(config: LogSourceConfig, *, most_files: int = 5, most_lines: int = 10) -> SourcePreview:
    """Look at what the paths of a source hold. Blocks; never raises for what is there."""
    found = expand(config.paths, recursive=config.recursive, include=config.include, exclude=config.exclude)
    files = tuple(
        preview_file(path, encoding=config.encoding, most_lines=most_lines) for path in found.files[:most_files]
    )
    problems = [*found.problems.values(), *(each.problem for each in files if each.problem)]
    if not found.files:
        problems.append(f"{_listed(config.paths)} matches no file: check its spelling, or wait until a file comes")
    return SourcePreview(len(found.files), sum(map(_size_of, found.files)), files, tuple(problems))


def preview_file(path: str, *, encoding: str | None = None, most_lines: int = 10) -> FilePreview:
    """The beginning of one file. Blocks."""
    try:
        content: Content = CompressedContent(path) if path.endswith(PACKED) else PlainContent(path)
    except SourceError as error:
        return FilePreview(path, _size_of(path), "", (), str(error))
    try:
        start = content.read_at(0, _SAMPLE_BYTES)
        size = content.facts().size
    except SourceError as error:
        return FilePreview(path, _size_of(path), "", (), str(error))
    finally:
        content.close()
    if kind := looks_binary(start):
        return FilePreview(path, size, "", (), f"'{path}' holds {kind}, not text: name a text file")
    read_as, mark = sniff(start[:SNIFF_BYTES], wish=encoding)
    texts = members_at_the_beginning(start[mark:].decode(read_as, "ignore"))
    if not texts:
        splitter = LineSplitter(max_line_bytes=4096, wish=encoding)
        texts = splitter.feed(start).frame["text"].to_list() or splitter.flush(final=True).frame["text"].to_list()
    return FilePreview(path, size, read_as, tuple(texts[:most_lines]))


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _listed(paths: Sequence[str]) -> str:
    return ", ".join(f"'{path}'" for path in paths)
