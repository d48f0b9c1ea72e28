"""Lines that belong to the record before them: stack traces, details, statements over several lines.

A line continues a record when nobody reads it and it is indented, or looks like a part of a trace; or when the format
of the record says so (`continues`). The record must have a stamp, or a format that says what continues it: other lines
of files without stamps stay by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import polars as pl

from vedette.formats.library import FormatLibrary
from vedette.formats.reading import FORMAT, INNER, WRAPPER
from vedette.model.events import EVENT_SCHEMA

JOINED: Final = "joined"
"""Marks an event that holds more lines than one."""

CONTINUATION: Final = "continuation"
"""Marks an event whose record began in an earlier one."""

MOST_LINES: Final = 500
MOST_BYTES: Final = 131_072
"""What one event holds at most, beside its first line."""

_ERROR: Final = (
    r"(?:[A-Za-z_][0-9A-Za-z_$]*(?:\.|::|\\\\))*[A-Z][0-9A-Za-z_$]*(?:Error|Exception|Throwable|Interrupt|Warning)"
)
_TRACE: Final = (
    r"^(?:[ \t]+\S|[}\])][;,]?\s*$|Traceback \(most recent call last\):|Caused by: |Suppressed: |Wrapped by: "
    r"|During handling of the above exception|The above exception was the direct cause"
    r"|at [0-9A-Za-z_.$<>/\[\]`]+ ?\(|\.\.\. [0-9]+ (?:more|common frames)|File \"[^\"]+\", line [0-9]"
    rf"|(?:Exception in thread \S+ )?{_ERROR}(?:: .*)?$"
    r"|panic: |fatal error: |goroutine [0-9]+ \[|created by [0-9A-Za-z_./]+|exit status [0-9]+$"
    r"|[0-9A-Za-z_./*()-]+\.[0-9A-Za-z_*()]+\((?:0x[0-9a-f]+|\.\.\.|[{}, ?0-9a-fx.]*)\)$|\[signal SIG"
    r"|#[0-9]+ +(?:\{main\}|/|\[internal|[A-Za-z]:\\|0x)|Stack trace:|PHP (?:Stack trace:| +[0-9]+\. )"
    r"|thread '[^']*' panicked at|stack backtrace:|note: run with `RUST_BACKTRACE|--- End of |---> |   at )"
)
_DEFAULT: Final = "default"
_BY: Final = "by."
_CONTINUES: Final = "__continues"
_HEAD: Final = "__head"
_PIECE: Final = "__piece"
_FILE: Final = "__file"
_ROW: Final = "__row"
_TOLD: Final = ("@timestamp", "log.level", "host.name", "process.name", "process.pid", "log.format")
"""What a record's later lines have from its first."""


@dataclass(frozen=True, slots=True)
class Head:
    """What is remembered of the last record of a file, for lines of it that come with a later batch."""

    format: str
    log_format: str
    at: datetime
    level: str | None = None
    host: str | None = None
    process: str | None = None
    pid: int | None = None

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Head:
        return cls(
            format=str(content["format"]),
            log_format=str(content["log_format"]),
            at=datetime.fromisoformat(content["at"]),
            level=content.get("level"),
            host=content.get("host"),
            process=content.get("process"),
            pid=content.get("pid"),
        )


@dataclass(frozen=True, slots=True)
class Joined:
    """Entries and what was parsed of them, a row an event; of each file its last record, and was that continued?"""

    entries: pl.DataFrame
    parsed: pl.DataFrame
    heads: list[Head | None]
    are_open: list[bool]


def join_continuations(
    entries: pl.DataFrame,
    parsed: pl.DataFrame,
    numbers: pl.Series,
    heads: Sequence[Head | None],
    library: FormatLibrary,
) -> Joined:
    """Make one row of a record and the lines that continue it.

    `numbers` says which file an entry is of, `heads` what the last record of each file was before. Rows keep their
    order; a joined one has the place and columns of its first line, and the mark JOINED. Lines whose record is in an
    earlier batch, or has grown too long, are an event of their own with the mark CONTINUATION and the record's stamp,
    level, host and process.
    """
    rows = _candidates(entries, parsed, numbers, heads, library)
    if rows is None:
        return Joined(entries, parsed, _last_heads(None, parsed, numbers, heads, library), [False] * len(heads))
    rows = _settled(rows, heads)
    last = _last_heads(rows, parsed, numbers, heads, library)
    ends = rows.unique(_FILE, keep="last", maintain_order=True)
    are_open = dict(ends.select(_FILE, _CONTINUES).iter_rows())
    if rows[_CONTINUES].any():
        entries, parsed = _as_events(_with_pieces(rows, entries), entries, parsed, heads)
    return Joined(entries, parsed, last, [are_open.get(number, False) for number in range(len(heads))])


def _candidates(
    entries: pl.DataFrame,
    parsed: pl.DataFrame,
    numbers: pl.Series,
    heads: Sequence[Head | None],
    library: FormatLibrary,
) -> pl.DataFrame | None:
    """Which rows may continue any record (`default`), and which one of a certain format; None when none may."""
    names = parsed[FORMAT]
    used = [*names.unique().sort(), *sorted({head.format for head in heads if head is not None})]
    formats = [one for name in dict.fromkeys(used) if (one := library.line_format(name)) is not None]
    is_nobodys = names == library.plain.name
    wrapping = [one.name for one in formats if one.definition.inner == "any"]
    continued = [one for one in formats if one.definition.continues]
    if not (is_nobodys.any() or wrapping or continued):
        return None
    is_whole = entries["hash"].is_null()
    is_wrapped = names.is_in(wrapping) & parsed[INNER].is_null()
    text, message = pl.col("text"), pl.col("message")
    tests = {
        _DEFAULT: (pl.col("nobodys") & text.str.contains(_TRACE)) | (pl.col("wrapped") & message.str.contains(_TRACE)),
        **{
            f"{_BY}{one.name}": pl.any_horizontal(text.str.contains(pattern) for pattern in one.definition.continues)
            for one in continued
        },
    }
    told = pl.DataFrame(
        {"text": entries["text"], "message": parsed["message"], "nobodys": is_nobodys, "wrapped": is_wrapped}
    )
    rows = told.select((test & pl.lit(is_whole)).fill_null(value=False).alias(name) for name, test in tests.items())
    if not rows.select(pl.any_horizontal(pl.all().any())).item():
        return None
    may_lack_stamp = names.is_in([one.name for one in continued])
    programs = parsed[WRAPPER] if WRAPPER in parsed.columns else _nulls(parsed.height, pl.String())
    pids = parsed["process.pid"] if "process.pid" in parsed.columns else _nulls(parsed.height, pl.Int64())
    return rows.with_columns(
        names.alias(FORMAT),
        numbers.alias(_FILE),
        pl.int_range(rows.height, dtype=pl.Int64, eager=True).alias(_ROW),
        ((parsed["@timestamp"].is_not_null() | may_lack_stamp) & ~is_nobodys & is_whole).alias("is_head"),
        is_wrapped.alias("wrapped"),
        programs.alias("program"),
        pids.alias("pid"),
        pl.any_horizontal(rows.columns).alias(_CONTINUES),
    )


def _settled(rows: pl.DataFrame, heads: Sequence[Head | None]) -> pl.DataFrame:
    """Which rows do continue a record (_CONTINUES), and the row of their head (_HEAD, -1: in an earlier batch)."""
    before = pl.DataFrame(
        {
            "format": [head.format if head else None for head in heads],
            "pid": [head.pid if head else None for head in heads],
        },
        schema={"format": pl.String, "pid": pl.Int64},
    )[rows[_FILE]]
    head = pl.when(~pl.col(_CONTINUES)).then(_ROW).forward_fill().over(_FILE).fill_null(-1)
    rows = rows.with_columns(head.alias(_HEAD))
    at = rows[_HEAD].replace(-1, None)
    of_head = pl.DataFrame(
        {
            "stamped": rows["is_head"].gather(at).fill_null(before["format"].is_not_null()),
            "format": rows[FORMAT].gather(at).fill_null(before["format"]),
            "pid": rows["pid"].gather(at).fill_null(before["pid"]),
            "program": rows["program"].gather(at),
        }
    )
    by_format = [
        pl.col(name) & pl.lit(of_head["format"] == name.removeprefix(_BY))
        for name in rows.columns
        if name.startswith(_BY)
    ]
    is_same_wrap = ~pl.col("wrapped") | (
        pl.lit(of_head["format"] == rows[FORMAT]) & pl.lit(of_head["program"].eq_missing(rows["program"]))
    )
    is_same_process = (
        pl.col("pid").is_null() | pl.lit(of_head["pid"]).is_null() | (pl.col("pid") == pl.lit(of_head["pid"]))
    )
    fits = (
        pl.any_horizontal((pl.col(_DEFAULT) & is_same_wrap), *by_format) & is_same_process & pl.lit(of_head["stamped"])
    )
    rows = rows.with_columns((pl.col(_CONTINUES) & ~fits.fill_null(value=False)).alias("stranger"))
    is_cut_off = pl.col("stranger").cast(pl.UInt8).cum_max().cast(pl.Boolean).over(_FILE, _HEAD)
    return rows.with_columns(pl.col(_CONTINUES) & ~is_cut_off)


def _last_heads(
    rows: pl.DataFrame | None,
    parsed: pl.DataFrame,
    numbers: pl.Series,
    heads: Sequence[Head | None],
    library: FormatLibrary,
) -> list[Head | None]:
    """The last record of each batch; that of the one before where a batch only continues it."""
    whole = parsed.select(_told(parsed)).with_columns(numbers.alias(_FILE), parsed[FORMAT])
    begins = whole if rows is None else whole.filter(~rows[_CONTINUES])
    last = {row.pop(_FILE): row for row in begins.unique(_FILE, keep="last", maintain_order=True).iter_rows(named=True)}
    return [_head_of(last[number], library) if number in last else head for number, head in enumerate(heads)]


def _head_of(row: Mapping[str, Any], library: FormatLibrary) -> Head | None:
    if row["@timestamp"] is None or row[FORMAT] == library.plain.name:
        return None
    return Head(
        format=row[FORMAT],
        log_format=row["log.format"],
        at=row["@timestamp"],
        level=row["log.level"],
        host=row["host.name"],
        process=row["process.name"],
        pid=row["process.pid"],
    )


def _with_pieces(rows: pl.DataFrame, entries: pl.DataFrame) -> pl.DataFrame:
    """The number of the event a row becomes a part of: records are cut where they grow too long."""
    continues = pl.col(_CONTINUES)
    rows = rows.with_columns(entries["text"].str.len_bytes().cast(pl.Int64).alias("size")).with_columns(
        head=pl.when(continues).then(_HEAD).otherwise(_ROW),
        lines=continues.cast(pl.Int64),
        bytes=pl.when(continues).then(pl.col("size") + 1).otherwise(0),
    )
    sums = rows.with_columns(pl.col("lines", "bytes").cum_sum().over(_FILE, "head"))
    chunk = pl.max_horizontal((pl.col("lines") - 1) // MOST_LINES, (pl.col("bytes") - 1) // MOST_BYTES, 0)
    piece = sums.select(pl.struct(_FILE, "head", chunk.alias("chunk"))).to_series().rank("dense")
    return sums.with_columns(piece.alias(_PIECE))


def _as_events(
    rows: pl.DataFrame, entries: pl.DataFrame, parsed: pl.DataFrame, heads: Sequence[Head | None]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row a piece."""
    is_first = rows[_PIECE].is_first_distinct()
    end = pl.col("offset") + pl.col("length")
    line = pl.when("wrapped").then("message").otherwise("text")
    lines = entries.with_columns(rows[_PIECE], rows["wrapped"], parsed["message"], rows[_CONTINUES])
    many = (
        lines.filter(rows[_PIECE].is_duplicated())
        .group_by(_PIECE, maintain_order=True)
        .agg(
            pl.col("text").str.join("\n").alias("whole"),
            line.slice(1).str.join("\n").alias("rest"),
            (end.last() - pl.col("offset").first()).alias("span"),
            pl.col("flags").bitwise_or().alias("all_flags"),
        )
    )
    firsts = pl.concat(
        [
            entries.filter(is_first),
            parsed.filter(is_first).rename({"message": "first"}),
            rows.filter(is_first).select(_PIECE, _CONTINUES, "head", pl.col(_FILE).alias("number")),
        ],
        how="horizontal",
    ).join(many, on=_PIECE, how="left", maintain_order="left")
    is_joined = pl.col("whole").is_not_null()
    marks = pl.concat_str(
        pl.when(is_joined).then(pl.lit(JOINED)),
        pl.when(_CONTINUES).then(pl.lit(CONTINUATION)).otherwise("vedette.marks"),
        separator=" ",
        ignore_nulls=True,
    )
    events = _with_head_told(firsts, parsed, heads).with_columns(
        text=pl.coalesce("whole", "text"),
        length=pl.coalesce("span", "length"),
        flags=pl.coalesce("all_flags", "flags"),
        message=pl.concat_str("first", "rest", separator="\n", ignore_nulls=True),
        marks=pl.when(marks != "").then(marks),
    )
    events = events.with_columns(pl.col("marks").alias("vedette.marks"))
    added = [name for name in _TOLD if name in events.columns and name not in parsed.columns]
    return events.select(entries.columns), events.select(*parsed.columns, *added)


def _with_head_told(firsts: pl.DataFrame, parsed: pl.DataFrame, heads: Sequence[Head | None]) -> pl.DataFrame:
    """Rows that begin in the middle of a record, with what its head told."""
    if not firsts[_CONTINUES].any():
        return firsts
    of_row = parsed.select(_told(parsed))[firsts["head"].replace(-1, None).fill_null(0)]
    before = pl.DataFrame(
        {
            "@timestamp": [head.at if head else None for head in heads],
            "log.level": [head.level if head else None for head in heads],
            "host.name": [head.host if head else None for head in heads],
            "process.name": [head.process if head else None for head in heads],
            "process.pid": [head.pid if head else None for head in heads],
            "log.format": [head.log_format if head else None for head in heads],
        },
        schema={name: EVENT_SCHEMA[name] for name in _TOLD},
    )[firsts["number"]]
    is_earlier = pl.lit(firsts["head"] == -1)
    told = {
        name: pl.when(_CONTINUES).then(pl.when(is_earlier).then(pl.lit(before[name])).otherwise(pl.lit(of_row[name])))
        for name in _TOLD
    }
    return firsts.with_columns(
        *(
            text.otherwise(pl.col(name)).alias(name) if name in parsed.columns else text.alias(name)
            for name, text in told.items()
        ),
        pl.when(_CONTINUES).then(pl.lit("partial")).otherwise("parse.status").alias("parse.status"),
    )


def _told(parsed: pl.DataFrame) -> list[pl.Expr]:
    return [
        pl.col(name) if name in parsed.columns else pl.lit(None, dtype=EVENT_SCHEMA[name]).alias(name) for name in _TOLD
    ]


def _nulls(height: int, dtype: pl.DataType) -> pl.Series:
    return pl.repeat(None, height, dtype=dtype, eager=True)
