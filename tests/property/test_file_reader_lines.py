"""The same records however the reads are cut, in every encoding, and every one leads back to its bytes."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vedette.model.entries import ENTRY_SCHEMA, EntryFlag
from vedette.sources import lines as lines_module
from vedette.sources.lines import HOLE_BYTES, LineSplitter, original_bytes

MAX = 40
ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "iso8859-1", "cp1252", "gb18030", "shift_jis", "euc_jp")

texts = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=12)
pieces = st.one_of(
    texts.map(str.encode),
    texts.map(lambda text: text.encode("utf-16-le")),
    texts.map(lambda text: text.encode("utf-16-be")),
    st.binary(max_size=8),
    st.sampled_from(
        [
            b"\n",
            b"\r\n",
            b"\r",
            b"\n\n",
            b"\0",
            b"\\",
            b"\\x41",
            b"\n\0",
            b"\0\n",
            b"\xef\xbb\xbf",
            b"\xff\xfe",
            b"\xfe\xff",
        ]
    ),
    st.integers(30, 90).map(lambda n: b"y" * n),
    st.sampled_from([bytes(HOLE_BYTES - 1), bytes(HOLE_BYTES), bytes(HOLE_BYTES + 3)]),
)
contents = st.lists(pieces, max_size=14).map(b"".join)


def split(content: bytes, cuts: list[int], wish: str | None) -> tuple[pl.DataFrame, dict[str, int], LineSplitter]:
    splitter = LineSplitter(max_line_bytes=MAX, wish=wish)
    bounds = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    parts = [splitter.feed(content[start:stop]) for start, stop in pairwise(bounds)]
    parts.append(splitter.flush(final=True))
    counts: dict[str, int] = {}
    for part in parts:
        for name, amount in part.counts.items():
            counts[name] = counts.get(name, 0) + amount
    return pl.concat([part.frame for part in parts]), {k: v for k, v in counts.items() if v}, splitter


@settings(max_examples=600, deadline=None)
@given(contents, st.lists(st.integers(0, 10_000), max_size=12), st.sampled_from([None, "utf-16", *ENCODINGS]))
@example(b"\0" * (HOLE_BYTES + 1) + b"a\nb\n", [HOLE_BYTES - 1], "utf-8")
@example(b"\xff\xfe" + "a\r\n\u0a0a\u0a00\u000a".encode("utf-16-le"), [1, 3, 4, 5, 6], None)
def test_records_do_not_depend_on_how_the_reads_were_cut(content: bytes, cuts: list[int], wish: str | None) -> None:
    whole, counts, splitter = split(content, [], wish)
    again, same_counts, same_splitter = split(content, cuts, wish)
    assert again.equals(whole)
    assert same_counts == counts
    assert splitter.encoding == same_splitter.encoding
    assert splitter.offset == same_splitter.offset == len(content)


@settings(max_examples=600, deadline=None)
@given(contents, st.lists(st.integers(0, 10_000), max_size=6), st.sampled_from([None, *ENCODINGS]))
def test_every_record_leads_back_to_its_bytes_and_every_byte_is_accounted_for(
    content: bytes, cuts: list[int], wish: str | None
) -> None:
    frame, counts, splitter = split(content, cuts, wish)
    assert frame.schema == ENTRY_SCHEMA
    end = "\n".encode(splitter.encoding)
    covered = bytearray(content)
    for offset, length, text, flags, digest in frame.iter_rows():
        record = content[offset : offset + length]
        assert len(record) == length
        raw = original_bytes(text, flags, splitter.encoding)
        if flags & EntryFlag.CUT:
            assert digest == hashlib.sha256(record).hexdigest()
            assert record.startswith(raw)
            assert len(raw) > MAX - 4
        else:
            assert digest is None
            ends = [b""] if flags & EntryFlag.UNFINISHED else [end, "\r\n".encode(splitter.encoding)]
            assert record in [raw + line_end for line_end in ends]
        covered[offset : offset + length] = b"" if False else b"\1" * length
    left = bytes(covered).replace(b"\1", b"")
    assert not left.strip(b"\0\r\n\xef\xbb\xbf\xfe\xff")
    assert counts.get("read", 0) == frame.height + counts.get("blank", 0)


@settings(max_examples=300, deadline=None)
@given(contents, st.sampled_from([None, *ENCODINGS]))
def test_the_columnar_way_and_the_line_by_line_way_agree(content: bytes, wish: str | None) -> None:
    slow = split(content, [], wish)
    usual = lines_module._COLUMNAR_FROM_BYTES
    lines_module._COLUMNAR_FROM_BYTES = 0  # type: ignore[misc]  # the test takes the other way with small input
    try:
        fast = split(content, [], wish)
    finally:
        lines_module._COLUMNAR_FROM_BYTES = usual  # type: ignore[misc]
    assert fast[0].equals(slow[0])
    assert fast[1] == slow[1]
