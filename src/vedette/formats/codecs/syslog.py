"""Syslog as it is written to files: RFC 3164 and what rsyslog, systemd and macOS make of it; RFC 5424.

The common case is sliced at fixed places, because a capturing regular expression takes ten times as long; what
is written otherwise goes through one.
"""

from __future__ import annotations

import json
import re
from typing import Final

import polars as pl

from vedette.formats.beginnings import Opening, all_of, opening
from vedette.formats.codecs.line import LineFormat
from vedette.formats.columns import SYSLOG_LEVELS, merged_objects
from vedette.formats.contract import ParseContext
from vedette.formats.definition import FRAGMENTS
from vedette.formats.expressions import captures

_BSD: Final = r"^[A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} "
_PRI: Final = r"^<\d{1,3}>"
_TAG: Final = r"[^\s\[\]:]+(?:\[\d+\])?:"
_ISO: Final = r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:?\d{2})?"
_ISO_LINE: Final = rf"^{_ISO} \S+ (?:{_TAG}(?: |$)|[^\s\[\]:]+\[\d+\]:?(?: |$))"
_ISO_WITH_LEVEL: Final = rf"^{_ISO} [\[(<]?(?:{FRAGMENTS['levels']})[\])>]?:? "
_STAMP: Final = (
    r"(?:[A-Z][a-z]{2} +\d{1,2}(?: \d{4})? \d{1,2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?: \d{4})?(?: [A-Z]{3,4})?"
    r"|\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d{1,9})?(?:Z|[+-]\d{2}:?\d{2}| UTC| GMT)?)"
)
_COUNTED: Final = r"(?:<\d{1,3}>)?(?:\d{1,10}: (?:[\w.-]+: )?)?"
"""A priority; the number that network devices count their records by, and their own name."""
_ANY_LINE: Final = rf"(?s)^\s*{_COUNTED}[*.]?\[?(?P<time>{_STAMP})\]?:? +(?P<rest>.*)$"
_LOOSE_BSD: Final = (
    rf"^\s*{_COUNTED}"
    r"[*.]?\[?[A-Z][a-z]{2} +\d{1,2}(?: \d{4})? \d{1,2}:\d{2}:\d{2}(?:[.,]\d{1,9})?"
    r"(?: \d{4})?(?: [A-Z]{3,4})?\]?:? "
)
_LOOSE_ISO: Final = r"^\s*(?:<\d{1,3}>)?\d{4}-\d{2}-\d{2}[T ]\S+ (?:(?:UTC|GMT) )?\S+ [^\s\[\]:]+\[\d+\]:? "

_FAST_REST: Final = r"^[^\s:\[\]]+ [^\s\[\]:\d][^\s\[\]:]*(?:\[\d+\])?: "
"""Not where a name begins with a digit, which may be the number of a record."""
_MNEMONIC: Final = r"%[A-Z0-9_]+(?:-[A-Za-z0-9_]+)*-\d-[A-Za-z0-9_]+"
_HOST: Final = r"(?P<host>[^\s:\[\]]+|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+) +"
_PID: Final = r"\[(?P<pid>\d+)\](?: \((?P<context>[^)]*)\))?"
_MESSAGE: Final = r"(?: +(?P<message>.*))?$"
_SLOW_RESTS: Final = (
    rf"^(?:{_HOST})??(?:\d{{1,10}}: (?:[\w.-]+: )?)?(?:: *)?(?:[*.]?{_STAMP}: +)?(?P<name>{_MNEMONIC}):{_MESSAGE}",
    rf"^(?:<\w+\.\w+> )?(?:{_HOST})??(?P<name>[^\s\[\]:]+|\[[\w.-]+\]){_PID}:?{_MESSAGE}",
    rf"^{_HOST}(?P<name>(?:-- )?[^\[\]:]{{1,64}}){_PID}:{_MESSAGE}",
    rf"^(?P<name>[^\s\[\]:]+):{_MESSAGE}",
    rf"^{_HOST}(?P<name>[^\s\[\]:]+(?: [\d.]+)?):{_MESSAGE}",
    rf"^{_HOST}(?P<name>[^\s\[\]:()]+\([\w-]+\)){_MESSAGE}",
    rf"^{_HOST}(?P<message>(?:-+ )?last message repeated \d+ times?.*)$",
    rf"^{_HOST}(?P<message>.*)$",
    r"^(?P<message>.*)$",
)
"""What follows the stamp where it is not the common case, the most telling first."""

_NAMES: Final = {
    "host": "host.name",
    "name": "process.name",
    "pid": "process.pid",
    "context": "fields.syslog.context",
    "message": "message",
}

_RFC5424: Final = (
    r"(?s)^<(?P<pri>\d{1,3})>1 (?P<time>\S+) (?P<host.name>\S+) (?P<process.name>\S+) (?P<process.pid>\S+) "
    r"(?P<fields.syslog.msgid>\S+) (?P<sd>-|(?:\[(?:[^\]\"]|\"(?:[^\"\\]|\\.)*\")*\])+)(?: \x{FEFF}?(?P<message>.*))?$"
)
_SD_ELEMENT: Final = re.compile(r'\[([^\s\]="]+)((?: [^\s\]="]+="(?:[^"\\]|\\.)*")*)\]')
_SD_PARAM: Final = re.compile(r' ([^\s\]="]+)="((?:[^"\\]|\\.)*)"')


class SyslogFormat(LineFormat):
    """RFC 3164, with its usual deviations."""

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(f"(?:{_BSD}|{_LOOSE_BSD}|{_LOOSE_ISO}|{_ISO_LINE})"))

    def matches(self, lines: pl.Series) -> pl.Series:
        frame = lines.to_frame("line")
        line = pl.col("line")
        strict = frame.select(line.str.contains(_BSD)).to_series().fill_null(value=False)
        if strict.all():
            return strict
        loose = frame.select(
            line.str.contains(_LOOSE_BSD)
            | ((line.str.contains(_ISO_LINE) | line.str.contains(_LOOSE_ISO)) & ~line.str.contains(_ISO_WITH_LEVEL))
        ).to_series()
        return (strict | loose).fill_null(value=False)

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        frame = _stamped(lines)
        parts = _host_tag_message(frame["rest"])
        columns = parts.with_columns(frame["time"])
        pri = _priorities(lines)
        return columns if pri is None else columns.with_columns(pri)


def _stamped(lines: pl.Series) -> pl.DataFrame:
    """Columns `time` and `rest` (what follows the stamp)."""
    frame = lines.to_frame("line")
    line = pl.col("line")
    sliced = frame.select(is_bsd=line.str.contains(_BSD), time=line.str.head(15), rest=line.str.slice(16))
    is_bsd = sliced["is_bsd"]
    if is_bsd.all():
        return sliced
    space = line.str.find(" ", literal=True)
    iso = frame.select(time=line.str.head(space), rest=line.str.slice(space + 1))
    is_iso = lines.str.contains(rf"^{_ISO} ")
    others = lines.filter(~(is_bsd | is_iso))
    sliced = sliced.with_columns(is_iso.alias("is_iso"), iso["time"].alias("iso"), iso["rest"].alias("iso_rest"))
    both = sliced.select(
        time=pl.when("is_bsd").then("time").when("is_iso").then("iso"),
        rest=pl.when("is_bsd").then("rest").when("is_iso").then("iso_rest"),
    )
    if others.is_empty():
        return both
    captured = captures(others, _ANY_LINE)
    return _scattered(both, captured, ~(is_bsd | is_iso))


def _host_tag_message(rest: pl.Series) -> pl.DataFrame:
    """Columns named like captures: host.name, process.name, process.pid, message."""
    is_plain = rest.str.contains(_FAST_REST)
    text = pl.col("rest")
    space, colon = text.str.find(" ", literal=True), text.str.find(": ", literal=True)
    places = rest.to_frame("rest").with_columns(space=space, colon=colon)
    tagged = places.select(
        text.str.head("space").alias("host.name"),
        text.str.head("colon").str.slice(pl.col("space") + 1).alias("tag"),
        text.str.slice(pl.col("colon") + 2).alias("message"),
    )
    split = tagged.select("host.name", *_name_and_pid(pl.col("tag")), "message")
    if is_plain.all():
        return split
    slow = rest.filter(~is_plain).str.strip_chars_start(" ")
    captured = _slow_rest(slow)
    return _scattered(split, captured, ~is_plain)


def _name_and_pid(tag: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    bracket = tag.str.find("[", literal=True)
    name = pl.when(bracket.is_null()).then(tag).otherwise(tag.str.head(bracket))
    return name.alias("process.name"), tag.str.slice(bracket + 1).str.strip_suffix("]").alias("process.pid")


def _slow_rest(rests: pl.Series) -> pl.DataFrame:
    """The same for texts that are not sliced; each pattern takes what the ones before left."""
    left = pl.DataFrame({"rest": rests, "row": pl.int_range(rests.len(), dtype=pl.UInt32, eager=True)})
    parts: list[pl.DataFrame] = []
    for pattern in _SLOW_RESTS:
        if left.is_empty():
            break
        captured = captures(left["rest"], f"(?s){pattern}(?P<fits>)")
        fits = captured["fits"].is_not_null()
        if fits.any():
            parts.append(captured.drop("fits").with_columns(left["row"]).filter(fits))
            left = left.filter(~fits)
    whole = pl.concat(parts, how="diagonal").sort("row")
    return whole.select(
        (pl.col(part) if part in whole.columns else pl.lit(None, dtype=pl.String)).alias(name)
        for part, name in _NAMES.items()
    )


def _scattered(whole: pl.DataFrame, some: pl.DataFrame, where: pl.Series) -> pl.DataFrame:
    """`whole` with the rows at `where` replaced by those of `some`."""
    rows = pl.DataFrame({"row": pl.int_range(whole.height, dtype=pl.UInt32, eager=True)})
    kept = pl.concat([whole, rows], how="horizontal").filter(~where)
    placed = pl.concat([some, rows.filter(where)], how="horizontal")
    return pl.concat([kept, placed], how="diagonal").sort("row").drop("row")


def _priorities(lines: pl.Series) -> pl.Series | None:
    """`log.level` of the lines that begin with a priority; None when none does."""
    has_priority = lines.str.starts_with("<")
    if not has_priority.any():
        return None
    return level_of_priority(lines.str.extract(r"^\s*<(\d{1,3})>", 1))


def level_of_priority(priorities: pl.Series) -> pl.Series:
    """The level in a syslog priority (facility times eight plus severity)."""
    severity = priorities.cast(pl.Int64, strict=False) % 8
    return severity.replace_strict(list(range(8)), list(SYSLOG_LEVELS), default=None, return_dtype=pl.String).alias(
        "log.level"
    )


class Rfc5424Format(LineFormat):
    """RFC 5424: structured data becomes fields `<id>.<name>`."""

    def _opens(self) -> Opening:
        return all_of(super()._opens(), opening(_RFC5424))

    def matches(self, lines: pl.Series) -> pl.Series:
        begins = lines.str.contains(r"^<\d{1,3}>1 (?:-|\d{4}-\d\d-\d\dT)\S* ")
        if not begins.any():
            return begins.fill_null(value=False)
        return (begins & lines.str.contains(_RFC5424)).fill_null(value=False)

    def split(self, lines: pl.Series, context: ParseContext) -> pl.DataFrame:
        parts = captures(lines, _RFC5424)
        level = level_of_priority(parts["pri"])
        data = parts["sd"]
        # Value by value, but only distinct ones: a sender writes the same elements again and again.
        known = {text: _structured_data(text) for text in data.unique().drop_nulls()}
        fields = data.replace_strict(known, default=None, return_dtype=pl.String) if known else data
        return parts.drop("pri", "sd").with_columns(
            level,
            fields.alias("__structured"),
            pl.when(pl.col("time") != "-").then("time").alias("time"),
            pl.col("message").fill_null(""),
        )

    def typed(self, parts: pl.DataFrame) -> pl.DataFrame:
        columns = super().typed(
            parts.drop("__structured").with_columns(
                pl.when(pl.col("fields.syslog.msgid") != "-").then("fields.syslog.msgid").alias("fields.syslog.msgid")
            )
        )
        return (
            columns.with_columns(parts["__structured"])
            .with_columns(merged_objects(pl.col("fields"), pl.col("__structured")).alias("fields"))
            .drop("__structured")
        )


def _structured_data(text: str) -> str | None:
    members = {
        f"{element[1]}.{name}": re.sub(r"\\([\"\\\]])", r"\1", value)
        for element in _SD_ELEMENT.finditer(text)
        for name, value in _SD_PARAM.findall(element[2])
    }
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")) if members else None
