"""Batches of a backlog are even, and that changes neither the records nor where reading resumes."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.model.clock import SystemClock
from vedette.model.entries import EntryBatch
from vedette.model.positions import Position
from vedette.sources.files.content import PlainContent
from vedette.sources.files.identity import is_same_content
from vedette.sources.files.reader import GenerationReader, ReadSettings

SETTINGS = ReadSettings(source_id="app", clock=SystemClock(), max_line_bytes=200, block_bytes=64, even_rows=1_000_000)
lines = st.sampled_from([b"a", b"short", b"\xff dirty", b"", b"\r", b"x" * 30, b"long " * 30, b"y" * 300])


def read_all(
    path: Path, even_rows: int, resume: Position | None = None, *, even_bytes: int = 1 << 20
) -> list[EntryBatch]:
    content = PlainContent(str(path))
    reader = GenerationReader(
        content,
        str(path),
        7,
        replace(SETTINGS, even_rows=even_rows, even_bytes=even_bytes),
        offset=resume.offset if resume else 0,
        encoding=resume.encoding if resume else "",
    )
    batches = []
    while not reader.is_at_end or reader.lag_bytes:
        if (batch := reader.read()) is not None:
            batches.append(batch)
    if (rest := reader.flush(final=True)) is not None:
        batches.append(rest)
    reader.close()
    return batches


def rows_of(batches: list[EntryBatch]) -> pl.DataFrame:
    return pl.concat([batch.frame for batch in batches])


@settings(max_examples=200, deadline=None)
@given(st.lists(lines, min_size=1, max_size=40), st.integers(1, 16), st.sampled_from([60, 200, 1 << 20]), st.booleans())
def test_even_batches_hold_the_same_records_and_resume_anywhere(
    written: list[bytes], even_rows: int, even_bytes: int, is_whole: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "app.log"
        path.write_bytes(b"\n".join(written) + (b"\n" if is_whole else b"z"))
        whole, even = read_all(path, 1_000_000), read_all(path, even_rows, even_bytes=even_bytes)
        everything = rows_of(whole)
        assert rows_of(even).equals(everything)
        assert sum((Counter(each.counts) for each in even), Counter()) == sum(
            (Counter(each.counts) for each in whole), Counter()
        )
        content, given_rows = PlainContent(str(path)), 0
        for batch in even:
            assert batch.counts.get("read", 0) == batch.frame.height + batch.counts.get("blank", 0)
            assert batch.position is not None
            assert is_same_content(batch.position, content, is_same_place=True)
            given_rows += batch.frame.height
            rest = read_all(path, even_rows, batch.position)
            assert not rest or rows_of(rest).equals(everything.slice(given_rows))
        content.close()


def test_all_batches_but_the_last_have_the_even_number_of_rows(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(b"".join(b"line %d\n\n" % number for number in range(1000)))
    heights = [batch.frame.height for batch in read_all(path, 12) if batch.frame.height]
    assert {height % 12 for height in heights[:-1]} == {0}
    assert sum(heights) == 1000


def test_where_lines_grow_long_the_position_still_knows_the_bytes_before_it(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    short = b"".join(b"a line numbered %03d\n" % number for number in range(1300))
    path.write_bytes(short + (b"y" * 190 + b"\n") * 30)
    content = PlainContent(str(path))
    for batch in read_all(path, 2000, even_bytes=41_000):
        assert batch.position is not None
        assert is_same_content(batch.position, content, is_same_place=True)
    content.close()
