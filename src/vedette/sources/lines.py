"""Bytes to records: the same ones however the reads were cut, and none of them without a way back to its bytes."""

from __future__ import annotations

import codecs
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import polars as pl

from vedette.model.entries import ENTRY_SCHEMA, EntryFlag
from vedette.sources.encodings import UTF8, can_sniff, sniff, unit_of
from vedette.sources.members import members_apart

HOLE_BYTES: Final = 4096
"""From here a run of NULs at the beginning of a record is a hole in the file (what copytruncate leaves behind for
a writer that keeps its offset): counted as `hole_bytes`, not text. Shorter runs, and NULs elsewhere, are text.
Never more than the maximum of a line, so that a hole is no long line."""

_COLUMNAR_FROM_BYTES: Final = 32_768
"""Below this the fixed cost of the columnar way (0.3 ms a batch) is more than a loop over the lines."""

_ESCAPE: Final = re.compile(r"\\(\\|x[0-9a-f]{2})")


@dataclass(frozen=True, slots=True)
class Lines:
    """Records in file order (ENTRY_SCHEMA) and what the ledger counts.

    read = rows + blank. An empty line is no entry; it is counted as `blank`. Further counters: cut, escaped,
    unfinished, hole_bytes.
    """

    frame: pl.DataFrame
    counts: Mapping[str, int] = field(default_factory=dict)


def no_entries() -> pl.DataFrame:
    """An empty frame with ENTRY_SCHEMA."""
    return pl.DataFrame(schema=ENTRY_SCHEMA)


def original_bytes(text: str, flags: int, encoding: str = UTF8) -> bytes:
    """The bytes a record's text was made from, line end left out (those of its beginning where CUT)."""
    if not flags & EntryFlag.ESCAPED:
        return text.encode(encoding)
    whole, last = bytearray(), 0
    for match in _ESCAPE.finditer(text):
        whole += text[last : match.start()].encode(encoding)
        code = match[1]
        whole += "\\".encode(encoding) if code == "\\" else bytes((int(code[1:], 16),))
        last = match.end()
    return bytes(whole + text[last:].encode(encoding))


class _Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(slots=True)
class _LongRecord:
    """A record that outgrew the maximum before its end was seen."""

    head: bytes
    digest: _Digest
    length: int


class LineSplitter:
    """Cuts one generation of one file into records. Not thread-safe; never blocks.

    Feed it the file's bytes in order from `offset` (0 or the beginning of a record). It keeps at most
    `max_line_bytes` and one block. `encoding` is known from the start, or sniffed from the first bytes.
    """

    def __init__(
        self,
        *,
        max_line_bytes: int,
        offset: int = 0,
        encoding: str = "",
        wish: str | None = None,
        fallback: str = UTF8,
    ) -> None:
        self._max = max_line_bytes
        self._hole_from = min(HOLE_BYTES, max_line_bytes)
        self._wish, self._fallback = wish, fallback
        self._encoding = encoding
        self._resumed_at = offset  # until the first record was given out: perhaps within a list of records
        self._anchor = offset  # behind the last record given out
        self._start = offset  # first byte of the record under way: behind a mark or a hole
        self._carry = b""
        self._hole = 0  # bytes of the hole before the record under way
        self._in_hole = False
        self._mark = 0  # bytes of a byte order mark still to be dropped
        self._long: _LongRecord | None = None

    @property
    def encoding(self) -> str:
        """Empty until enough was fed to know it."""
        return self._encoding

    @property
    def offset(self) -> int:
        """Where reading would resume: every record before it was given out."""
        return self._anchor

    @property
    def pending_bytes(self) -> int:
        """Bytes fed that belong to no record given out yet."""
        long = self._long.length if self._long else 0
        return self._start - self._anchor + long + len(self._carry)

    def feed(self, block: bytes) -> Lines:
        """The records that are complete with `block`."""
        data = self._carry + block if self._carry else block
        self._carry = b""
        if not self._encoding and not self._learn_encoding(data):
            self._carry = data
            return Lines(no_entries())
        data = self._without_mark(data)
        parts: list[Lines] = []
        if self._long is not None:
            data = self._finish_long(data, parts)
        if self._long is None:
            data = self._skip_hole(data)
            end = _end_of_last_line(data, unit_of(self._encoding), self._encoding)
            if end:
                parts.append(self._take(data[:end]))
                data = self._skip_hole(data[end:])
            self._keep(data)
        return self._apart(_joined(parts))

    def flush(self, *, final: bool) -> Lines:
        """What is left, as a record marked UNFINISHED. Not `final`: more may follow, half a code unit waits for it."""
        if not self._encoding:
            self._learn_encoding(self._carry, enough=True)
            self._carry = self._without_mark(self._carry)
        rest = b"" if final else self._carry[len(self._carry) - len(self._carry) % unit_of(self._encoding) :]
        raw = self._carry[: len(self._carry) - len(rest)]
        if self._long is not None:
            self._long.digest.update(raw)
            self._long.length += len(raw)
            lines = self._long_record(EntryFlag.UNFINISHED)
        elif raw:
            lines = self._unfinished(raw)
        else:
            lines = Lines(no_entries(), Counter(hole_bytes=self._next_record(0)))
        self._carry, self._in_hole = rest, False
        return self._apart(lines)

    def _apart(self, lines: Lines) -> Lines:
        if lines.frame.is_empty():
            return lines
        resumed_at, self._resumed_at = self._resumed_at, 0
        is_within = bool(resumed_at) and lines.frame["offset"][0] == resumed_at
        entries = members_apart(lines.frame, self._encoding, begins_within=is_within)
        if entries is lines.frame:
            return lines
        return Lines(entries, Counter(lines.counts) + Counter(read=entries.height - lines.frame.height))

    def _learn_encoding(self, data: bytes, *, enough: bool = False) -> bool:
        if not enough and not can_sniff(data):
            return False
        self._encoding, self._mark = sniff(data, wish=self._wish, fallback=self._fallback)
        return True

    def _without_mark(self, data: bytes) -> bytes:
        mark, self._mark = self._mark, 0
        self._start += mark
        return data[mark:] if mark else data

    def _skip_hole(self, data: bytes) -> bytes:
        """Drop a hole at the beginning of the record under way. The same run is dropped however it was cut."""
        if not data.startswith(b"\0"):
            self._in_hole = self._in_hole and not data
            return data
        run = len(data) - len(data.lstrip(b"\0"))
        run -= run % unit_of(self._encoding)
        if not self._in_hole and run < self._hole_from:
            return data
        self._start += run
        self._hole += run
        self._in_hole = len(data) - run < unit_of(self._encoding)
        return data[run:]

    def _keep(self, data: bytes) -> None:
        whole = len(data) - len(data) % unit_of(self._encoding)
        if whole <= self._max:
            self._carry = data
            return
        self._long = _LongRecord(data[: self._max], hashlib.sha256(data[:whole]), whole)
        self._carry = data[whole:]

    def _finish_long(self, data: bytes, parts: list[Lines]) -> bytes:
        long = self._long
        assert long is not None
        unit = unit_of(self._encoding)
        end = _end_of_first_line(data, unit, self._encoding)
        taken = end or len(data) - len(data) % unit
        long.digest.update(data[:taken])
        long.length += taken
        if end:
            parts.append(self._long_record(EntryFlag(0)))
        else:
            self._carry = data[taken:]
        return data[taken:]

    def _long_record(self, flags: EntryFlag) -> Lines:
        assert self._long is not None
        rows = _Rows(self._encoding, self._max)
        rows.add_long(self._start, self._long, flags)
        rows.counts["hole_bytes"] += self._next_record(self._long.length)
        self._long = None
        return rows.lines()

    def _next_record(self, length: int) -> int:
        """Move behind `length` bytes of records; the bytes of the hole that stood before them."""
        self._start += length
        self._anchor = self._start
        hole, self._hole = self._hole, 0
        return hole

    def _unfinished(self, raw: bytes) -> Lines:
        rows = _Rows(self._encoding, self._max)
        rows.add_unfinished(self._start, raw)
        rows.counts["hole_bytes"] += self._next_record(len(raw))
        return rows.lines()

    def _take(self, body: bytes) -> Lines:
        """Records of `body`, which ends with a line end."""
        lines = None
        if len(body) >= _COLUMNAR_FROM_BYTES and not (b"\0" in body and bytes(self._hole_from) in body):
            lines = _columnar(body, self._start, self._encoding, self._max)
        if lines is None:
            lines = _one_by_one(body, self._start, self._encoding, self._max)
        return Lines(lines.frame, Counter(lines.counts) + Counter(hole_bytes=self._next_record(len(body))))


def _columnar(body: bytes, start: int, encoding: str, max_line_bytes: int) -> Lines | None:
    """The way of clean text; None where a line needs a closer look."""
    unit = unit_of(encoding)
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        return None
    if encoding == UTF8:
        length = pl.col("text").str.len_bytes()
    elif len(text) * unit == len(body) and (unit == 2 or _is_bijective(encoding)):
        length = pl.col("text").str.len_chars() * unit
    else:
        return None
    frame = (
        pl.DataFrame({"text": pl.Series([text[:-1]], dtype=pl.String).str.split("\n").explode()})
        .lazy()
        .with_columns(length=length.cast(pl.Int64) + unit)
        .with_columns(offset=pl.col("length").cum_sum() - pl.col("length") + start)
        .select(
            "offset",
            "length",
            pl.col("text").str.strip_suffix("\r"),
            pl.lit(0, pl.UInt8).alias("flags"),
            pl.lit(None, pl.String).alias("hash"),
        )
        .collect()
    )
    longest = frame["length"].max()
    assert isinstance(longest, int)
    if longest - unit > max_line_bytes:
        return None
    entries = frame.filter(pl.col("text") != "")
    return Lines(entries, Counter(read=frame.height, blank=frame.height - entries.height))


def _one_by_one(body: bytes, start: int, encoding: str, max_line_bytes: int) -> Lines:
    """The way of small batches and of rare dirty ones: a loop over lines, each decoded on its own."""
    rows = _Rows(encoding, max_line_bytes)
    unit = unit_of(encoding)
    is_first = True  # a hole before the first line was dropped already
    for raw in _raw_lines(body, "\n".encode(encoding)):
        hole = 0 if is_first else _hole_at_start(raw, unit, min(HOLE_BYTES, max_line_bytes))
        rows.counts["hole_bytes"] += hole
        rows.add_line(start + hole, raw[hole:])
        start += len(raw) + unit
        is_first = False
    return rows.lines()


def _hole_at_start(raw: bytes, unit: int, hole_from: int) -> int:
    if not raw.startswith(b"\0"):
        return 0
    run = len(raw) - len(raw.lstrip(b"\0"))
    run -= run % unit
    return run if run >= hole_from else 0


class _Rows:
    """Records under way, read with one line end and one maximum."""

    def __init__(self, encoding: str, max_line_bytes: int) -> None:
        self.counts: Counter[str] = Counter()
        self._encoding, self._max = encoding, max_line_bytes
        self._end = "\n".encode(encoding)
        self._carriage_return = "\r".encode(encoding)
        self._rows: list[tuple[int, int, str, int, str | None]] = []

    def add(self, offset: int, length: int, text: str, flags: EntryFlag, *, digest: str | None = None) -> None:
        self.counts["read"] += 1
        if flags:
            self.counts.update((flag.name or "").lower() for flag in EntryFlag if flags & flag)
        self._rows.append((offset, length, text, int(flags), digest))

    def add_line(self, offset: int, raw: bytes) -> None:
        """The record `raw`, which is followed by a line end."""
        length = len(raw) + len(self._end)
        if len(raw) > self._max:
            self._add_cut(offset, length, raw, hashlib.sha256(raw + self._end), EntryFlag(0))
            return
        raw = raw.removesuffix(self._carriage_return)
        if raw:
            text, escaped = _text_of(raw, self._encoding, is_whole=True)
            self.add(offset, length, text, escaped)
        else:
            self.counts.update(("read", "blank"))

    def add_unfinished(self, offset: int, raw: bytes) -> None:
        """The record `raw`, whose line end never came."""
        if len(raw) > self._max:
            self._add_cut(offset, len(raw), raw, hashlib.sha256(raw), EntryFlag.UNFINISHED)
            return
        text, escaped = _text_of(raw, self._encoding, is_whole=True)
        self.add(offset, len(raw), text, escaped | EntryFlag.UNFINISHED)

    def add_long(self, offset: int, long: _LongRecord, flags: EntryFlag) -> None:
        self._add_cut(offset, long.length, long.head, long.digest, flags)

    def lines(self) -> Lines:
        return Lines(pl.DataFrame(self._rows, schema=ENTRY_SCHEMA, orient="row"), +self.counts)

    def _add_cut(self, offset: int, length: int, raw: bytes, digest: _Digest, flags: EntryFlag) -> None:
        text, escaped = _text_of(raw[: self._max], self._encoding, is_whole=False)
        self.add(offset, length, text, flags | escaped | EntryFlag.CUT, digest=digest.hexdigest())


def _text_of(raw: bytes, encoding: str, *, is_whole: bool) -> tuple[str, EntryFlag]:
    """Text of a record, with ESCAPED where bytes are no text. The beginning of one may end within a character,
    which is then left out."""
    try:
        text = raw.decode(encoding) if is_whole else _beginning(raw, encoding)
        if unit_of(encoding) == 2 or encoding == UTF8 or _goes_back(text, raw, encoding, is_whole=is_whole):
            return text, EntryFlag(0)
    except UnicodeDecodeError:
        pass
    else:
        return "".join(_ascii_or_escape(byte) for byte in raw), EntryFlag.ESCAPED
    return _escaped(raw, encoding, is_whole=is_whole), EntryFlag.ESCAPED


def _beginning(raw: bytes, encoding: str) -> str:
    return codecs.getincrementaldecoder(encoding)("strict").decode(raw)


def _goes_back(text: str, raw: bytes, encoding: str, *, is_whole: bool) -> bool:
    """Whether the text gives the same bytes again; some East Asian encodings write a character in two ways."""
    try:
        again = text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return again == raw if is_whole else raw.startswith(again)


def _ascii_or_escape(byte: int) -> str:
    if byte == 0x5C:
        return "\\\\"
    return chr(byte) if byte < 0x80 else f"\\x{byte:02x}"


def _escaped(raw: bytes, encoding: str, *, is_whole: bool) -> str:
    if encoding == UTF8:
        decoder = codecs.getincrementaldecoder(UTF8)("backslashreplace")
        return decoder.decode(raw.replace(b"\\", b"\\\\"), final=is_whole)
    parts: list[str] = []
    while raw:
        try:
            parts.append(_doubled(codecs.getincrementaldecoder(encoding)("strict").decode(raw, final=is_whole)))
            break
        except UnicodeDecodeError as error:
            bad = raw[error.start : error.end]
            parts.append(_doubled(raw[: error.start].decode(encoding)))
            parts.append("".join(f"\\x{byte:02x}" for byte in bad))
            raw = raw[error.end :]
    return "".join(parts)


def _doubled(text: str) -> str:
    return text.replace("\\", "\\\\")


def _is_bijective(encoding: str) -> bool:
    """Whether every byte that is text stands for a character of its own."""
    table = bytes(range(256)).decode(encoding, "ignore")
    return len(set(table)) == len(table) and len(table.encode(encoding)) == len(table)


def _raw_lines(body: bytes, end: bytes) -> Iterator[bytes]:
    if len(end) == 1:
        yield from body[:-1].split(b"\n")
        return
    start = 0
    while start < len(body):
        stop = _find_unit(body, end, start)
        yield body[start:stop]
        start = stop + len(end)


def _end_of_first_line(data: bytes, unit: int, encoding: str) -> int:
    """Offset behind the first line end, 0 when there is none. `data` begins with a whole code unit."""
    found = data.find(b"\n") if unit == 1 else _find_unit(data, "\n".encode(encoding), 0)
    return found + unit if found >= 0 else 0


def _end_of_last_line(data: bytes, unit: int, encoding: str) -> int:
    if unit == 1:
        return data.rfind(b"\n") + 1
    end = "\n".encode(encoding)
    found = data.rfind(end)
    while found > 0 and found % unit:
        found = data.rfind(end, 0, found + unit - 1)
    return found + unit if found >= 0 and found % unit == 0 else 0


def _find_unit(data: bytes, end: bytes, start: int) -> int:
    """Like `find`, but only at whole code units."""
    found = data.find(end, start)
    while found >= 0 and found % len(end):
        found = data.find(end, found + 1)
    return found


def _joined(parts: list[Lines]) -> Lines:
    if not parts:
        return Lines(no_entries())
    if len(parts) == 1:
        return parts[0]
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update(part.counts)
    return Lines(pl.concat([part.frame for part in parts]), counts)
