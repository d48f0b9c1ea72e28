"""A list of records in one line becomes an entry a record, with every byte in exactly one entry, however it is read."""

from __future__ import annotations

import gzip
import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.model.entries import EntryFlag
from vedette.sources.lines import LineSplitter
from vedette.sources.preview import preview_file

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", "ä€😀", ']},{"', "\\", '"', "\n"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["a", "Records", "é"]), inner)
    ),
    max_leaves=6,
)
records = st.dictionaries(st.sampled_from(["eventName", "Records", "ü"]), values, max_size=3)
blanks = st.sampled_from(["", " ", "  "])


@st.composite
def lists(draw: st.DrawFn) -> tuple[str, list[Any]]:
    members = draw(st.lists(records, min_size=1, max_size=6))
    written = [json.dumps(one, ensure_ascii=draw(st.booleans())) for one in members]
    gap = [draw(blanks) for _ in range(5)]
    name = draw(st.sampled_from(["Records", "records"]))
    body = f"{gap[1]},{gap[2]}".join(written)
    return f'{gap[0]}{{"{name}":{gap[3]}[{gap[4]}{body}{gap[1]}]{gap[2]}}}{gap[3]}', members


def split(content: bytes, cuts: list[int], wish: str, *, offset: int = 0) -> tuple[pl.DataFrame, int]:
    splitter = LineSplitter(max_line_bytes=100_000, wish=wish, encoding=wish if offset else "", offset=offset)
    bounds = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    parts = [splitter.feed(content[start:stop]) for start, stop in pairwise(bounds)]
    parts.append(splitter.flush(final=True))
    assert splitter.offset == offset + len(content)
    return pl.concat([part.frame for part in parts]), sum(part.counts.get("read", 0) for part in parts)


@settings(max_examples=300)
@given(
    st.lists(lists(), min_size=1, max_size=3),
    st.booleans(),
    st.lists(st.integers(0, 10_000), max_size=6),
    st.sampled_from(["utf-8", "utf-16-le", "cp1252"]),
)
def test_members_are_entries_at_their_own_places(
    written: list[tuple[str, list[Any]]], ends: bool, cuts: list[int], wish: str
) -> None:
    text = "plain\n" + "\n".join(line for line, _ in written) + ("\n" if ends else "")
    content = text.encode(wish, "xmlcharrefreplace") if wish == "cp1252" else text.encode(wish)
    entries, read = split(content, cuts, wish)
    assert read == entries.height
    members = [json.loads(one) for one in entries["text"][1:]]
    expected = [one for line, _ in written for one in json.loads(line.encode(wish, "xmlcharrefreplace").decode(wish))[
        "Records" if '"Records"' in line.partition("[")[0] else "records"]]  # fmt: skip
    assert members == expected
    place = 0
    for offset, length, one in entries.select("offset", "length", "text").iter_rows():
        assert offset == place
        assert one.encode(wish) in content[offset : offset + length]
        place = offset + length
    assert place == len(content)
    flags = entries["flags"].to_list()
    assert flags == [0] * (len(flags) - 1) + [0 if ends else int(EntryFlag.UNFINISHED)]
    assert split(content, [], wish)[0].equals(entries)
    for number, begin in enumerate(entries["offset"]):
        assert split(content[begin:], cuts, wish, offset=begin)[0].equals(entries[number:])


@pytest.mark.parametrize(
    "line",
    [
        '{"Records":[]}',
        '{"Records":[{"a":1},2]}',
        '{"Records":[{"a":1}],"more":1}',
        '{"Records":[{"a":1},{"b":',
        '{"Records":[{"a":1}]',
        '{"Records":' + "[" * 5_000,
        '{"Records":[' + '{"a":' * 5_000,
    ],
    ids=["empty", "no objects", "more beside it", "torn", "not closed", "deep lists", "deep objects"],
)
def test_what_is_no_whole_list_of_objects_stays_one_entry(line: str) -> None:
    entries, read = split(f"{line}\n".encode(), [], "utf-8")
    assert entries["text"].to_list() == [line]
    assert read == 1


def test_cut_list_stays_one_entry_with_its_mark() -> None:
    splitter = LineSplitter(max_line_bytes=40)
    lines = splitter.feed(b'{"Records":[{"a":1},{"b":2}]}' + b" " * 40 + b"\n")
    assert lines.frame["flags"].to_list() == [int(EntryFlag.CUT)]


@pytest.mark.parametrize("count", [2, 5_000], ids=["whole", "longer than what is looked at"])
def test_preview_shows_the_members_of_a_list(tmp_path: Path, count: int) -> None:
    packed = tmp_path / "trail.json.gz"
    packed.write_bytes(gzip.compress(json.dumps({"Records": [{"eventName": f"e{n}"} for n in range(count)]}).encode()))
    shown = preview_file(str(packed), most_lines=10)
    assert [json.loads(line)["eventName"] for line in shown.lines] == [f"e{n}" for n in range(min(count, 10))]
