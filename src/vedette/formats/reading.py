"""Lines to columns: which format reads a line, what record its message is again, and what its program says in it."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl
from polars.exceptions import PolarsError

from vedette.formats.codecs.line import LineFormat
from vedette.formats.columns import merged_objects
from vedette.formats.contract import ParseContext
from vedette.formats.expressions import FEW, contained
from vedette.formats.library import FormatLibrary
from vedette.formats.openers import Openers, masked_heads

FORMAT: Final = "__format"
"""The line format that read a line."""

INNER: Final = "__inner"
"""The one that read its message, null where none did."""

WRAPPER: Final = "__wrapper"
"""The program that the record around names (a container); there is no such column where nothing is wrapped."""

_ROW: Final = "__row"
_LINE: Final = "line"
_SHAPE: Final = "__shape."
_ASKED_AT_ONCE: Final = (16, 4, 1)
_NAMED: Final = re.compile(r"\(\?P<[^>]+>")
_PARSED_BEFORE: Final = (FORMAT, INNER, "@timestamp", "vedette.marks", "parse.status", "fields")
_BEGINS_A_RECORD: Final = (
    r'^(?:\{\s*"|<Event[ >]|<[0-9]{1,3}>|CEF: ?[0-9]|LEEF: ?[0-9]|[0-9]{4}[/-][0-9]{2}[/-][0-9]{2}[ T]|[0-9]?,[0-9]{4}/'
    r"|[0-9]{1,3}(?:\.[0-9]{1,3}){3}[ ,]|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]* |\[[0-9]{4}-[0-9]{2}|\[[A-Z][a-z]{2} "
    r"|[A-Za-z_][0-9A-Za-z_.-]{0,40}=[^ =])"
)
"""How a structured record begins: an object, XML, a priority, CEF, LEEF, a date, an address, a pair."""


class LineReader:
    """Reads lines with the formats of a library. What a line becomes does not depend on the lines beside it."""

    def __init__(self, library: FormatLibrary) -> None:
        self._library = library
        self._rivals: dict[str, tuple[LineFormat, ...]] = {}
        self._openers = Openers(library.line_formats)
        self._headed = [one for one in library.line_formats if one.has_headers]
        self._wrapping = [one.name for one in library.line_formats if one.definition.inner == "any"]
        self._structured = [one.name for one in library.line_formats if one.definition.inner == "structured"]

    def read(
        self,
        lines: pl.Series,
        chosen: LineFormat | None,
        context: ParseContext,
        headers: pl.Series | None = None,
        recent: Sequence[LineFormat] = (),
    ) -> pl.DataFrame:
        """Event columns, one row a line, same order, with FORMAT, INNER and `log.format`: `split` and `complete`."""
        return self.complete(self.split(lines, chosen, context, headers, recent), context)

    def split(
        self,
        lines: pl.Series,
        chosen: LineFormat | None,
        context: ParseContext,
        headers: pl.Series | None = None,
        recent: Sequence[LineFormat] = (),
    ) -> pl.DataFrame:
        """What the line formats tell, one row a line, same order, with FORMAT.

        `chosen` and then the `recent` ones read what they can before others do, but for more specific ones; with `plain`
        nothing else is tried. `headers` are the lines that named the columns of each line, null where none did.
        """
        likely = dict.fromkeys(one for each in recent for one in (*self.rivals(each), each))
        return self._read_lines(lines, chosen, context, headers, tuple(likely))

    def complete(self, parsed: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
        """With what is told by the records in messages and by the programs' messages."""
        parsed = parsed.with_columns(pl.lit(None, dtype=pl.String).alias(INNER))
        if (wraps := parsed[FORMAT].is_in(self._wrapping)).any():
            program = pl.col("process.name") if "process.name" in parsed.columns else pl.lit(None, dtype=pl.String)
            parsed = self._with_inner(parsed.with_columns(program.alias(WRAPPER)), wraps, context, [])
        return self._with_messages(parsed, context)

    def _read_lines(
        self,
        lines: pl.Series,
        chosen: LineFormat | None,
        context: ParseContext,
        headers: pl.Series | None,
        recent: Sequence[LineFormat] = (),
    ) -> pl.DataFrame:
        """Columns of the line formats; each line by the first format that explains it, `recent` ones before others."""
        parts: list[pl.DataFrame] = []
        left = pl.DataFrame({_LINE: lines, _ROW: pl.int_range(lines.len(), dtype=pl.UInt32, eager=True)})
        if chosen is not self._library.plain:
            if headers is not None:
                left = self._take_headed(left, context, headers, parts)
            groups = self._by_beginnings(left)
            possible = {one.name for formats, _ in groups for one in formats}
            tried: Sequence[LineFormat] = () if chosen is None else (*self.rivals(chosen), chosen)
            left = _take([one for one in tried if one.name in possible], left, context, headers, parts)
            for formats, some in groups if not parts else self._by_beginnings(left):
                likely = [one for one in recent if one in formats and one not in tried]
                unread = _take(likely, some, context, headers, parts)
                others = [one for one in formats if one not in tried and one not in likely]
                _take(others, unread, context, headers, parts)
        if rest := lines.len() - sum(part.height for part in parts):
            read = pl.concat([part.select(_ROW) for part in parts]) if parts else left.select(_ROW).clear()
            unread = left if rest == left.height else left.join(read, on=_ROW, how="anti", maintain_order="left")
            parts.append(_parsed(self._library.plain, unread, context))
        if len(parts) == 1:
            return parts[0].drop(_ROW)
        return pl.concat(parts, how="diagonal").sort(_ROW).drop(_ROW)

    def _take_headed(
        self, left: pl.DataFrame, context: ParseContext, headers: pl.Series, parts: list[pl.DataFrame]
    ) -> pl.DataFrame:
        """Lines that have the columns their header names are its format's, whatever else they look like."""
        for header in headers.unique(maintain_order=True).drop_nulls():
            one = next((one for one in self._headed if one.matches(pl.Series([header])).item()), None)
            if one is None:
                continue
            fits = (headers.gather(left[_ROW]) == header).fill_null(value=False) & one.fits_header(left[_LINE], header)
            if fits.any():
                parts.append(_headed(one, left.filter(fits), context, headers))
                left = left.filter(~fits)
        return left

    def rivals(self, chosen: LineFormat) -> tuple[LineFormat, ...]:
        """More specific formats whose lines `chosen` would take, too, judged by their samples; best first."""
        known = self._rivals.get(chosen.name)
        if known is None:
            samples = self._library.samples
            claimed = set(samples.filter(chosen.matches(samples[_LINE]))["format"]) if samples.height else set()
            known = tuple(one for one in self._library.line_formats if one.rank > chosen.rank and one.name in claimed)
            self._rivals[chosen.name] = known
        return known

    def _by_beginnings(self, left: pl.DataFrame) -> list[tuple[tuple[LineFormat, ...], pl.DataFrame]]:
        """Lines with the formats that their first characters allow."""
        if left.is_empty():
            return []
        heads, are_masked = masked_heads(left[_LINE])
        groups: dict[tuple[LineFormat, ...], list[str]] = {}
        for head in heads.unique():
            groups.setdefault(self._openers.formats_of(head or "", are_masked=are_masked), []).append(head)
        if len(groups) == 1:
            return [(next(iter(groups)), left)]
        return [(formats, left.filter(heads.is_in(some))) for formats, some in groups.items()]

    def _with_inner(
        self, parsed: pl.DataFrame, where: pl.Series, context: ParseContext, without: Sequence[str]
    ) -> pl.DataFrame:
        """The records that messages are again, but for those of the formats `without`; what they tell counts before
        what the record around them told."""
        rows = pl.int_range(parsed.height, dtype=pl.UInt32, eager=True).filter(where).alias(_ROW)
        inner = self._read_lines(parsed["message"].filter(where), None, context, None).with_columns(rows)
        inner = inner.filter(~pl.col(FORMAT).is_in([self._library.plain.name, *without]))
        return _merged(parsed, inner) if inner.height else parsed

    def _with_messages(self, parsed: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
        """Add what the programs' messages tell; it counts before what the line format told.

        A message that no format of its program knows may be a structured record again; a stamp before it makes none.
        """
        told = self._told(parsed)
        is_known = told["log.format"].is_not_null() & ~told["log.format"].is_in(self._library.last_resorts)
        innermost = parsed.select(pl.coalesce(INNER, FORMAT)).to_series()
        where = innermost.is_in(self._structured) & ~is_known
        if where.any():
            where &= parsed["message"].str.contains(_BEGINS_A_RECORD)
        if where.any():
            before, parsed = parsed, self._with_inner(parsed, where, context, self._library.catch_alls)
            changed = parsed[INNER].is_not_null() & before[INNER].is_null()
            if changed.any():
                told = _replaced(told, self._told(parsed.filter(changed)), changed)
        return _with_told(parsed, told)

    def _told(self, parsed: pl.DataFrame) -> pl.DataFrame:
        """What the messages tell, null where nothing. Guesses count where nothing else is known of peer and action."""
        has_programs = "process.name" in parsed.columns
        nothing = pl.repeat(None, parsed.height, dtype=pl.String, eager=True)
        programs, messages = parsed["process.name"] if has_programs else nothing, parsed["message"]
        told = self._library.messages.match(programs, messages)
        if told is None:
            told = nothing.to_frame("log.format")
        known = [pl.col(name).is_not_null() for name in ("source.address", "event.action") if name in parsed.columns]
        is_open = (
            told["log.format"].is_null()
            & ~parsed.select(pl.any_horizontal(*known, pl.lit(value=False)).alias("known")).to_series()
        )
        if not self._library.last_resorts or not is_open.any():
            return told
        guessed = self._library.guesses.match(programs.filter(is_open), messages.filter(is_open))
        return told if guessed is None else _replaced(told, guessed, is_open)


def _take(
    formats: Sequence[LineFormat],
    left: pl.DataFrame,
    context: ParseContext,
    headers: pl.Series | None,
    parts: list[pl.DataFrame],
) -> pl.DataFrame:
    """Put what the formats read into `parts`, each line by the first that explains it; the lines nobody read."""
    if len(formats) > 1:
        formats, left = _with_shapes(formats, left)
    for one in formats:
        if left.is_empty():
            break
        shape = f"{_SHAPE}{one.name}"
        candidates = left.filter(shape) if shape in left.columns and not left[shape].all() else left
        if candidates.is_empty():
            continue
        fits, part = _taken(one, candidates, context, headers)
        if not part.height:
            continue
        parts.append(part)
        if part.height == left.height:
            left = left.clear()
        else:
            left = left.filter(~(fits if candidates is left else pl.col(_ROW).is_in(part[_ROW].implode())))
    return left.select(_LINE, _ROW)


def _with_shapes(formats: Sequence[LineFormat], left: pl.DataFrame) -> tuple[Sequence[LineFormat], pl.DataFrame]:
    """The formats that any line looks like, and columns that say which lines do.

    One expression asks for many shapes at once, which takes a fifth of the time; where it says yes, for fewer.
    """
    shapes = {one.name: one.definition.looks_like for one in formats if one.definition.looks_like is not None}
    if left.height <= FEW:
        names = list(shapes)
        found = {names[place]: looks for place, looks in contained(left[_LINE], list(shapes.values())).items()}
        columns = [looks.alias(f"{_SHAPE}{name}") for name, looks in found.items()]
        wanted = [one for one in formats if one.name not in shapes or one.name in found]
        return wanted, left.with_columns(columns)
    asked = list(shapes)
    looks = pl.DataFrame()
    for size in _ASKED_AT_ONCE:
        if len(asked) < size or not asked:
            continue
        groups = [asked[start : start + size] for start in range(0, len(asked), size)]
        looks = _contains_any(left, [tuple(shapes[name] for name in group) for group in groups])
        asked = [
            name
            for group, is_any in zip(groups, looks.select(pl.all().any()).row(0), strict=True)
            if is_any
            for name in group
        ]
    hits = [name for name in looks.columns if looks[name].any()]
    columns = [looks[name].alias(f"{_SHAPE}{format_name}") for name, format_name in zip(hits, asked, strict=True)]
    wanted = [one for one in formats if one.name not in shapes or one.name in asked]
    return wanted, left.with_columns(columns)


def _contains_any(left: pl.DataFrame, groups: Sequence[tuple[str, ...]]) -> pl.DataFrame:
    """A column a group: which lines contain any of its expressions?"""
    line = pl.col(_LINE)
    try:
        return left.select(line.str.contains(_any_of(group)).alias(str(place)) for place, group in enumerate(groups))
    except PolarsError:  # together they are too large
        return left.select(
            pl.any_horizontal(line.str.contains(one) for one in group).alias(str(place))
            for place, group in enumerate(groups)
        )


@functools.lru_cache(maxsize=4_096)
def _any_of(patterns: tuple[str, ...]) -> str:
    return patterns[0] if len(patterns) == 1 else "|".join(f"(?:{_NAMED.sub('(?:', one)})" for one in patterns)


def _taken(
    one: LineFormat, some: pl.DataFrame, context: ParseContext, headers: pl.Series | None
) -> tuple[pl.Series, pl.DataFrame]:
    """Which lines are the format's, and their columns with FORMAT and their row."""
    if headers is not None and one.has_headers:
        fits = one.matches(some[_LINE])
        return fits, _headed(one, some.filter(fits), context, headers)
    fits, columns = one.take(some[_LINE], context)
    return fits, columns.with_columns(some[_ROW].filter(fits), pl.lit(one.name).alias(FORMAT))


def _headed(one: LineFormat, some: pl.DataFrame, context: ParseContext, headers: pl.Series) -> pl.DataFrame:
    """Columns of lines of which all are the format's, each by its header."""
    headed = some.select(_LINE, _ROW, header=headers.gather(some[_ROW]))
    parts = [_parsed(one, headed.clear(), context)]
    for header in headed["header"].unique(maintain_order=True):
        of_header = headed.filter(headed["header"].eq_missing(header))
        parts.append(_parsed(one, of_header, replace(context, header=header)))
    return pl.concat(parts, how="diagonal")


def _parsed(one: LineFormat, some: pl.DataFrame, context: ParseContext) -> pl.DataFrame:
    columns = one.parse_matching(some[_LINE], context) if some.height else some.select(message=_LINE)
    return columns.with_columns(some[_ROW], pl.lit(one.name).alias(FORMAT))


def _merged(parsed: pl.DataFrame, inner: pl.DataFrame) -> pl.DataFrame:
    """Rows of `inner` (by their number) over those of the records around them."""
    names = [name for name in inner.columns if name != _ROW]
    whole = parsed.with_row_index(_ROW).join(
        inner.rename({name: f"__in.{name}" for name in names}), on=_ROW, how="left", maintain_order="left"
    )
    has_inner = pl.col(f"__in.{FORMAT}").is_not_null()
    stamped = pl.col("__in.@timestamp").is_not_null()
    columns = {
        name: pl.coalesce(f"__in.{name}", name) if name in parsed.columns else pl.col(f"__in.{name}")
        for name in names
        if name not in _PARSED_BEFORE
    }
    columns[INNER] = pl.coalesce(f"__in.{FORMAT}", INNER)
    columns["@timestamp"] = pl.coalesce("__in.@timestamp", "@timestamp")
    columns["vedette.marks"] = pl.when(stamped).then("__in.vedette.marks").otherwise("vedette.marks")
    columns["parse.status"] = pl.when(has_inner).then("__in.parse.status").otherwise("parse.status")
    if "__in.fields" in whole.columns:
        outer = pl.col("fields") if "fields" in parsed.columns else pl.lit(None, dtype=pl.String)
        columns["fields"] = merged_objects(outer, pl.col("__in.fields"))
    return whole.with_columns(text.alias(name) for name, text in columns.items()).drop(
        _ROW, *(f"__in.{name}" for name in names)
    )


def _replaced(told: pl.DataFrame, others: pl.DataFrame, where: pl.Series) -> pl.DataFrame:
    """`told` with the rows at `where` replaced."""
    rows = pl.DataFrame({_ROW: pl.int_range(told.height, dtype=pl.UInt32, eager=True)})
    kept = pl.concat([told, rows], how="horizontal").filter(~where)
    placed = pl.concat([others, rows.filter(where)], how="horizontal")
    return pl.concat([kept, placed], how="diagonal").sort(_ROW).drop(_ROW)


def _with_told(parsed: pl.DataFrame, told: pl.DataFrame) -> pl.DataFrame:
    inner = {name: f"__told.{name}" for name in told.columns}
    whole = pl.concat([parsed, told.rename(inner)], how="horizontal")
    columns = [
        pl.coalesce(renamed, name).alias(name) if name in parsed.columns else pl.col(renamed).alias(name)
        for name, renamed in inner.items()
        if name not in ("log.format", "fields")
    ]
    names = [name for name in (FORMAT, INNER, "__told.log.format") if whole[name].null_count() < whole.height]
    columns.append(pl.concat_str(names, separator="/", ignore_nulls=True).alias("log.format"))
    if "fields" in inner:
        outer = pl.col("fields") if "fields" in parsed.columns else pl.lit(None, dtype=pl.String)
        columns.append(merged_objects(outer, pl.col("__told.fields")).alias("fields"))
    return whole.with_columns(columns).drop(inner.values())
