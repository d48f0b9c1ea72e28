"""All formats there are: those that ship, and a user's own, each one file."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Final

import polars as pl
import structlog

from vedette.formats.codecs import CODECS, LineFormat
from vedette.formats.definition import FormatFile, read_format
from vedette.formats.messages import MessageMatcher
from vedette.model.errors import FormatError

log = structlog.get_logger(__name__)

PLAIN: Final = "plain"
CATCH_ALL_RANK: Final = 20
"""Line formats of this rank or less say little about a line: they also explain lines of formats that are unknown."""
_FILE_ENDINGS: Final = (".yaml", ".yml")


class FormatLibrary:
    """The formats in use, and what is wrong with the files that are not.

    A file of the user's folder replaces a format of the same name that ships; two files of one folder with the same
    name are a mistake, and the first by file name counts.
    """

    def __init__(
        self,
        definitions: Sequence[FormatFile],
        problems: Sequence[FormatError] = (),
        own: Mapping[str, Path] | None = None,
    ) -> None:
        self.definitions = {one.name: one for one in definitions}
        self.problems = tuple(problems)
        self.own = dict(own or {})
        """The files of the user's own formats by name."""
        lines = [CODECS[one.codec](one) for one in definitions if not one.is_message_format and one.name != PLAIN]
        self.line_formats: tuple[LineFormat, ...] = tuple(sorted(lines, key=lambda one: (-one.rank, one.name)))
        """The most specific first, without `plain`."""
        plain = self.definitions.get(PLAIN, FormatFile(name=PLAIN, title="Plain text", codec="plain", rank=0))
        self.plain: LineFormat = CODECS["plain"](plain)
        self.messages = MessageMatcher([one for one in definitions if one.is_message_format and one.rank > 0])
        self.guesses = MessageMatcher([one for one in definitions if one.is_message_format and one.rank == 0])
        self.last_resorts = [one.name for one in definitions if one.is_message_format and one.rank == 0]
        """Message formats that guess: they count only where nothing else is known of a record's peer or action."""
        self._by_name = {one.name: one for one in (*self.line_formats, self.plain)}
        outer = [one.name for one in self._by_name.values() if one.rank <= CATCH_ALL_RANK]
        inner = [one.name for one in definitions if one.is_message_format and one.rank == 0]
        self.catch_alls = [*outer, *(f"{one}/{other}" for one in outer for other in inner)]
        """What `log.format` says of lines that nobody in particular explains."""

    @functools.cached_property
    def samples(self) -> pl.DataFrame:
        """Columns `line`, `format` and `rank` of all lines that line formats give as theirs."""
        rows = [
            (sample.line, one.name, one.rank)
            for one in self.line_formats
            for sample in one.definition.samples
            if sample.columns is not None
        ]
        return pl.DataFrame(rows, schema={"line": pl.String, "format": pl.String, "rank": pl.Int64}, orient="row")

    def overlaps(self, names: Collection[str] | None = None) -> list[tuple[str, str]]:
        """Line formats of equal rank that take each other's samples (those with one of `names`), in order of names."""
        taken: dict[str, set[str]] = {}
        for one in self.line_formats:
            equals = [other for other in self.line_formats if other.rank == one.rank and other is not one]
            asked = [other.name for other in equals if names is None or one.name in names or other.name in names]
            lines = self.samples.filter(pl.col("format").is_in(asked))
            taken[one.name] = set(lines.filter(one.matches(lines["line"]))["format"]) if lines.height else set()
        return sorted((one, other) for one in taken for other in taken[one] if one < other and one in taken[other])

    def line_format(self, name: str) -> LineFormat | None:
        return self._by_name.get(name)


def load_library(user_folder: Path | None = None) -> FormatLibrary:
    """Read the files that ship and those of the user's folder. Blocks; a broken file disables only itself."""
    problems: list[FormatError] = []
    shipped, shipped_files = _read_all(_shipped_files(), problems, is_shipped=True)
    own, files = _read_all(_files_of(user_folder), problems) if user_folder is not None else ({}, {})
    for problem in problems:
        log.warning("format_disabled", reason=str(problem))
    library = FormatLibrary(
        list({**shipped, **own}.values()), problems, {name: Path(file) for name, file in files.items()}
    )
    if own:
        library.problems += tuple(_overlap_problems(library, {**shipped_files, **files}))
    return library


def _overlap_problems(library: FormatLibrary, files: Mapping[str, str]) -> Iterator[FormatError]:
    """Of the user's formats alone: those that ship are tested."""
    for one, other in library.overlaps(library.own):
        rank = library.definitions[one].rank
        problem = FormatError(
            f"{files[one]} and {files[other]}: samples: each format takes lines of the other, and both have rank {rank}, "
            f"so '{one}' counts for its name alone; raise `rank` of the more specific one"
        )
        log.warning("formats_overlap", reason=str(problem))
        yield problem


def shipped_text(name: str) -> str | None:
    """The text of the file of a format that ships. Blocks."""
    beginning = f"name: {name}\n"
    return next((text for _, text in _shipped_files() if text.startswith(beginning) or f"\n{beginning}" in text), None)


def _read_all(
    files: Iterable[tuple[str, str | OSError]], problems: list[FormatError], *, is_shipped: bool = False
) -> tuple[dict[str, FormatFile], dict[str, str]]:
    """Formats by name, and the files they are in."""
    formats: dict[str, FormatFile] = {}
    origin: dict[str, str] = {}
    for file, text in files:
        try:
            if isinstance(text, OSError):
                raise FormatError(f"{file}: cannot be read ({text.strerror}); correct its permissions or remove it")
            one = read_format(text, file, is_shipped=is_shipped)
            if one.name in formats:
                raise FormatError(
                    f"{file}: name: '{one.name}' is taken by {origin[one.name]}; give one of the two another name"
                )
        except FormatError as problem:
            problems.append(problem)
        else:
            formats[one.name] = one
            origin[one.name] = file
    return formats, origin


def _shipped_files() -> Iterator[tuple[str, str]]:
    folder = resources.files("vedette") / "content" / "formats"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if file.name.endswith(_FILE_ENDINGS):
            yield f"content/formats/{file.name}", file.read_text(encoding="utf-8")


def _files_of(folder: Path) -> Iterator[tuple[str, str | OSError]]:
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        if path.suffix in _FILE_ENDINGS:
            try:
                yield str(path), path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                yield str(path), OSError(0, "it is not UTF-8")
            except OSError as error:
                yield str(path), error
