"""What programs say inside a record: the message formats, compiled and matched in columns.

A message meets only the patterns it may fit: those of its program, and of these the ones whose literal beginning it
has. That is decided on distinct programs and distinct beginnings; a regular expression runs on candidates alone.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from vedette.formats.columns import escaped, typed_columns
from vedette.formats.definition import SETTABLE, FormatFile, MessagePattern
from vedette.formats.expressions import FEW
from vedette.model.events import EVENT_SCHEMA

_REMEMBERED_PROGRAMS: Final = 4_096
_FITS: Final = "__fits"
_ROW: Final = "__row"
_BEGINNING: Final = "__beginning"
_FIRST: Final = "__first"
_PATTERN: Final = "__pattern"
_MANY: Final = 1_024


@dataclass(frozen=True, slots=True, eq=False)
class _Pattern:
    """A message pattern with its place in the table of constants."""

    number: int
    captures: pl.Expr
    starts: tuple[str, ...]
    contains: str | tuple[str, ...] | None


class MessageMatcher:
    """The message formats of a library. Pure but for its bounded memory of programs and beginnings."""

    def __init__(self, formats: Sequence[FormatFile]) -> None:
        self._formats = sorted(formats, key=lambda one: (-one.rank, one.name))
        self._patterns: dict[str, list[_Pattern]] = {}
        rows: list[dict[str, object]] = []
        for one in self._formats:
            self._patterns[one.name] = [
                _compile(pattern, number) for number, pattern in enumerate(one.messages, start=len(rows))
            ]
            rows += [{"log.format": one.name, **one.defaults, **pattern.set} for pattern in one.messages]
        self._constants = _constants_table(rows)
        self._by_program: dict[str, tuple[str, ...]] = {}
        self._by_formats: dict[tuple[str, ...], _ProgramPatterns] = {}

    def match(self, programs: pl.Series, messages: pl.Series) -> pl.DataFrame | None:
        """Event columns told by the messages, one row a message, same order; None when no pattern fits any.

        Rows without a match are null. `log.format` is the message format's name.
        """
        frame = pl.DataFrame({"message": messages, _ROW: pl.int_range(messages.len(), dtype=pl.UInt32, eager=True)})
        parts: list[pl.DataFrame] = []
        equals: list[pl.DataFrame] = []
        for patterns, rows in self._by_patterns(programs, frame):
            distinct, equal = _distinct(rows)
            parts += patterns.match(distinct)
            equals += [] if equal is None else [equal]
        if not parts:
            return None
        captures = parts[0] if len(parts) == 1 else pl.concat(parts, how="diagonal")
        told = pl.concat(
            [
                captures.select(pl.col(_ROW).alias(_FIRST)),
                _over(
                    self._constants[captures[_PATTERN]],
                    typed_columns(captures.drop(_ROW, _PATTERN, _FITS)),
                ),
            ],
            how="horizontal",
        )
        rows = frame.select(_ROW, pl.col(_ROW).alias(_FIRST))
        if equals:
            firsts = frame.select(_ROW).join(pl.concat(equals), on=_ROW, how="left", maintain_order="left")
            rows = firsts.with_columns(pl.col(_FIRST).fill_null(pl.col(_ROW)))
        return rows.join(told, on=_FIRST, how="left", maintain_order="left").drop(_ROW, _FIRST)

    def _by_patterns(self, programs: pl.Series, frame: pl.DataFrame) -> Iterator[tuple[_ProgramPatterns, pl.DataFrame]]:
        """Rows by the patterns their programs share."""
        names = programs.unique().to_list()
        formats = {name: self._formats_of(name or "") for name in names}
        groups = list(dict.fromkeys(formats.values()))
        if len(groups) == 1:
            yield self._patterns_of(groups[0]), frame
            return
        numbers = {name: groups.index(formats[name]) for name in names if name is not None}
        of_none = groups.index(formats[None]) if None in formats else 0
        group = programs.replace_strict(numbers, default=of_none, return_dtype=pl.UInt16)
        for number, key in enumerate(groups):
            if key:
                yield self._patterns_of(key), frame.filter(group == number)

    def _formats_of(self, program: str) -> tuple[str, ...]:
        """Names of the formats that speak for a program, the most specific first."""
        known = self._by_program.get(program)
        if known is None:
            if len(self._by_program) >= _REMEMBERED_PROGRAMS:
                self._by_program.clear()
            name = plain_name(program)
            module = program.partition("(")[2].rstrip(")")
            known = self._by_program[program] = tuple(
                one.name
                for one in self._formats
                if any(fnmatch.fnmatchcase(name, glob) or (module and module == glob) for glob in one.programs)
            )
        return known

    def _patterns_of(self, formats: tuple[str, ...]) -> _ProgramPatterns:
        known = self._by_formats.get(formats)
        if known is None:
            patterns = [pattern for name in formats for pattern in self._patterns[name]]
            known = self._by_formats[formats] = _ProgramPatterns(patterns)
        return known


class _ProgramPatterns:
    """The patterns of one group of programs. Those with a literal beginning are tried before those without."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        starts = sorted({start for one in patterns for start in one.starts}, key=lambda text: (-len(text), text))
        self._beginning = f"^({'|'.join(map(escaped, starts))})" if starts else None
        self._begin = re.compile("|".join(map(re.escape, starts)))
        self._candidates = {
            start: tuple(one for one in patterns if any(start.startswith(begin) for begin in one.starts))
            for start in starts
        }
        self._others = [one for one in patterns if not one.starts]

    def match(self, rows: pl.DataFrame) -> list[pl.DataFrame]:
        """Frames with `__row`, `__pattern` and the captures, of the rows that fit one."""
        found: list[pl.DataFrame] = []
        left = self._match_starting(rows, found)
        for pattern in self._others:
            if left.is_empty():
                break
            left = _take(pattern, left, found)
        return found

    def _beginnings(self, messages: pl.Series) -> pl.Series:
        """The longest known beginning of each message, null where it has none."""
        if messages.len() > FEW:
            return messages.str.extract(self._beginning or "", 1).alias(_BEGINNING)
        match = self._begin.match
        found = [None if text is None or (one := match(text)) is None else one[0] for text in messages.to_list()]
        return pl.Series(_BEGINNING, found, dtype=pl.String)

    def _match_starting(self, rows: pl.DataFrame, found: list[pl.DataFrame]) -> pl.DataFrame:
        """Try the patterns of each row's longest known beginning; the rows that fit none."""
        if self._beginning is None:
            return rows
        beginnings = self._beginnings(rows["message"])
        begins = beginnings.is_not_null()
        if not begins.any():
            return rows
        left = [] if begins.all() else [rows.filter(~begins)]
        known = rows.with_columns(beginnings) if begins.all() else rows.with_columns(beginnings).filter(begins)
        parts = known.partition_by(_BEGINNING, include_key=False, as_dict=True)
        for (beginning,), begun in sorted(parts.items()):
            some = begun
            for pattern in self._candidates[beginning]:
                if some.is_empty():
                    break
                some = _take(pattern, some, found)
            if not some.is_empty():
                left.append(some)
        return pl.concat(left) if left else rows.clear()


def plain_name(program: str) -> str:
    """`/usr/sbin/sshd(pam_unix)` is `sshd`; lower case."""
    name = program.partition("(")[0].rstrip("/").rpartition("/")[2]
    return name.lstrip("- ").partition(" ")[0].lower()


def _distinct(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame | None]:
    """The first row of each distinct message, and which that is for each row; where many are equal only."""
    if rows.height < _MANY or rows["message"].n_unique() * 2 > rows.height:
        return rows, None
    distinct = rows.unique("message", keep="first", maintain_order=True)
    firsts = distinct.select("message", pl.col(_ROW).alias(_FIRST))
    return distinct, rows.join(firsts, on="message", how="left", nulls_equal=True).select(_ROW, _FIRST)


def _take(pattern: _Pattern, rows: pl.DataFrame, found: list[pl.DataFrame]) -> pl.DataFrame:
    """Put the rows that fit into `found`; the others."""
    messages = rows["message"]
    if pattern.contains is not None:
        holds = _holding(messages, pattern.contains)
        if not holds.all():
            left = rows.filter(~holds)
            some = rows.filter(holds)
            return left if some.is_empty() else pl.concat([left, _take_candidates(pattern, some, found)])
    return _take_candidates(pattern, rows, found)


def _holding(messages: pl.Series, contains: str | tuple[str, ...]) -> pl.Series:
    if isinstance(contains, str):
        return messages.str.contains(contains, literal=True)
    found = messages.to_frame("message").select(
        pl.col("message").str.contains_any(list(contains), ascii_case_insensitive=True)
    )
    return found.to_series()


def _take_candidates(pattern: _Pattern, rows: pl.DataFrame, found: list[pl.DataFrame]) -> pl.DataFrame:
    captures = rows.select(_ROW, pl.lit(pattern.number, dtype=pl.UInt32).alias(_PATTERN), pattern.captures)
    misfits = captures[_FITS].null_count()
    if misfits == captures.height:
        return rows
    if not misfits:
        found.append(captures)
        return rows.clear()
    found.append(captures.filter(pl.col(_FITS).is_not_null()))
    return rows.filter(captures[_FITS].is_null())


def _compile(pattern: MessagePattern, number: int) -> _Pattern:
    message = pl.col("message")
    if pattern.pattern is not None:
        captures = message.str.extract_groups(f"{pattern.pattern}(?P<{_FITS}>)").struct.unnest()
    elif pattern.starts:
        fits = pl.any_horizontal(message.str.starts_with(start) for start in pattern.starts)
        captures = pl.when(fits).then(pl.lit("")).alias(_FITS)
    else:
        captures = pl.lit("").alias(_FITS)
    return _Pattern(number, captures, pattern.starts, pattern.contains)


def _constants_table(rows: Sequence[dict[str, object]]) -> pl.DataFrame:
    """The constants of every pattern, one row each, with every column that any sets."""
    used = {name for row in rows for name in row}
    names = [name for name in EVENT_SCHEMA if name in used and (name in SETTABLE or name == "log.format")]
    return pl.DataFrame({name: pl.Series([row.get(name) for row in rows], dtype=EVENT_SCHEMA[name]) for name in names})


def _over(constants: pl.DataFrame, captured: pl.DataFrame) -> pl.DataFrame:
    """What was captured counts before what is constant."""
    both = [name for name in captured.columns if name in constants.columns]
    merged = pl.concat([constants.rename({name: f"__{name}" for name in both}), captured], how="horizontal")
    return merged.with_columns(pl.coalesce(name, f"__{name}").alias(name) for name in both).drop(
        f"__{name}" for name in both
    )
