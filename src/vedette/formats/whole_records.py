"""Records of several lines, read again as a whole: the lines that follow the first may tell more than it does.

A slow query's user stands in its second line, a level of java.util.logging before the text in its second. Patterns of a
format with `continues` may therefore span lines; what its messages are known to say may, too.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from vedette.formats.colours import without_colours
from vedette.formats.continuation import CONTINUATION, JOINED, Joined
from vedette.formats.contract import ParseContext
from vedette.formats.library import FormatLibrary
from vedette.formats.reading import FORMAT, LineReader

_ROW: Final = "__row"
_MARKS: Final = "vedette.marks"


def read_whole_records(records: Joined, reader: LineReader, library: FormatLibrary, context: ParseContext) -> Joined:
    """The same records; the joined ones with the columns that their whole text yields.

    Only records of formats that say what continues them are read again, and only whole ones. Where a program's message
    was understood from the first line, that stays unless the whole tells more.
    """
    parsed = records.parsed
    marks = parsed[_MARKS].fill_null("")
    is_whole = marks.str.contains(JOINED, literal=True) & ~marks.str.contains(CONTINUATION, literal=True)
    if not is_whole.any():
        return records
    continued = [one.name for one in library.line_formats if one.definition.continues]
    rows = parsed.with_row_index(_ROW).filter(is_whole & parsed[FORMAT].is_in(continued)).select(_ROW, FORMAT)
    read = [
        _read_again(records, rows.filter(rows[FORMAT] == name)[_ROW], name, reader, library, context)
        for name in rows[FORMAT].unique().sort()
    ]
    again = pl.concat(read, how="diagonal") if read else None
    if again is None or again.is_empty():
        return records
    kept = parsed.with_row_index(_ROW).join(again.select(_ROW), on=_ROW, how="anti", maintain_order="left")
    whole = pl.concat([kept, again], how="diagonal").sort(_ROW).drop(_ROW)
    return replace(records, parsed=whole)


def _read_again(
    records: Joined, rows: pl.Series, name: str, reader: LineReader, library: FormatLibrary, context: ParseContext
) -> pl.DataFrame:
    """Columns with the row they are of; without those whose first line told as much."""
    before = records.parsed["log.format"].gather(rows)
    read = reader.read(without_colours(records.entries["text"].gather(rows)), library.line_format(name), context)
    marks = pl.concat_str(pl.lit(JOINED), _MARKS, separator=" ", ignore_nulls=True)
    is_known = (read[FORMAT] == name) & ((_depth(before) == 0) | (_depth(read["log.format"]) > _depth(before)))
    return read.with_columns(marks.alias(_MARKS), rows.alias(_ROW)).filter(is_known)


def _depth(formats: pl.Series) -> pl.Series:
    """How many formats explain a record beyond the first: one in `syslog-rfc3164/sshd`."""
    return formats.str.count_matches("/", literal=True)
