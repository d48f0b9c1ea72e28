"""Whatever the lines are: one event each, in order, unaltered, however they are cut into batches."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from support.entries import READ_AT, batch_of
from vedette.formats import FormatEngine, load_library
from vedette.formats.beginnings import OTHER
from vedette.formats.contract import ParseContext
from vedette.model.events import EVENT_SCHEMA
from vedette.pipeline import ledger_of

LIBRARY = load_library()
KNOWN = [
    sample.line
    if not definition.is_message_format
    else f"Nov 23 22:04:17 web1 {sample.program or definition.programs[0]}[1]: {sample.line}"
    for definition in LIBRARY.definitions.values()
    for sample in definition.samples
]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A known line with a piece cut out, doubled, or replaced by noise."""
    line = draw(st.sampled_from(KNOWN))
    start = draw(st.integers(0, len(line)))
    end = draw(st.integers(start, len(line)))
    middle = draw(st.sampled_from(["", line[start:end] * 2]) | st.text(max_size=10))
    return line[:start] + middle + line[end:]


LINES = st.lists(st.sampled_from(KNOWN) | damaged() | st.text(max_size=120), max_size=30)
TRACES = st.sampled_from(
    ["\tat a.b.C.d(C.java:1)", "Traceback (most recent call last):", "ValueError: x", "  indented"]
)
BYTES = st.lists(st.binary(max_size=200).map(lambda raw: raw.decode("utf-8", "backslashreplace")), max_size=20)
LINE_FORMATS = [one.name for one in (*LIBRARY.line_formats, LIBRARY.plain)]


LEARNED = "template.id"
"""What words are values shows in other messages: see test_templates_cuts for what holds of it."""


def decode(lines: list[str], *, start: int = 0, format_name: str | None = "syslog-rfc3164") -> pl.DataFrame:
    return FormatEngine(LIBRARY).decode([batch_of(lines, start=start, format_name=format_name)])


def lines_of(events: pl.DataFrame) -> list[str]:
    """The lines that events hold, in order."""
    marks = events["vedette.marks"].fill_null("").str.contains("joined")
    return [
        line
        for text, is_joined in zip(events["event.original"], marks, strict=True)
        for line in (text.split("\n") if is_joined else [text])
    ]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(KNOWN) | damaged() | st.text(max_size=120) | TRACES, max_size=30))
def test_every_line_comes_out_exactly_once_and_in_order(lines: list[str]) -> None:
    lines = [line.replace("\n", " ") for line in lines]
    batch = batch_of(lines)
    events = FormatEngine(LIBRARY).decode([batch])
    assert events.schema == EVENT_SCHEMA
    assert lines_of(events) == lines
    counts = ledger_of([batch], events).get("s", {})
    assert counts.get("entries", 0) == counts.get("stored", 0) + counts.get("joined", 0) == len(lines)
    assert events["log.length"].sum() == batch.frame["length"].sum()
    assert events["event.severity"].is_between(1, 10).all()
    for column in ("@timestamp", "message", "log.format", "parse.status", "event.severity"):
        assert events[column].null_count() == 0
    assert events["template.id"].is_not_null().to_list() == [bool(message.strip()) for message in events["message"]]


@settings(max_examples=40, deadline=None)
@given(BYTES)
def test_random_bytes_are_events_like_all_others(lines: list[str]) -> None:
    lines = [line.replace("\n", " ") for line in lines]
    assert lines_of(decode(lines, format_name=None)) == lines


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LINE_FORMATS), LINES, LINES)
def test_parsing_two_lists_of_lines_is_parsing_them_at_once(name: str, first: list[str], second: list[str]) -> None:
    one = LIBRARY.line_format(name)
    assert one is not None
    context = ParseContext(READ_AT)
    apart = [one.parse(pl.Series(lines, dtype=pl.String), context) for lines in (first, second)]
    together = one.parse(pl.Series(first + second, dtype=pl.String), context)
    whole = pl.concat(apart, how="diagonal")
    names = sorted({*together.columns, *whole.columns})
    assert_frame_equal(with_columns(together, names), with_columns(whole, names))


def with_columns(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """A column that is missing means null."""
    nulls = [pl.lit(None, dtype=EVENT_SCHEMA[name]).alias(name) for name in names if name not in frame.columns]
    return frame.with_columns(nulls).select(names)


@pytest.mark.parametrize("name", LINE_FORMATS)
def test_first_characters_rule_out_no_line_that_fits(name: str) -> None:
    one = LIBRARY.line_format(name)
    assert one is not None
    lines = pl.Series(KNOWN)
    for line in lines.filter(one.matches(lines)):
        assert (line[0] if line[0] < OTHER else OTHER) in one.begins


@settings(max_examples=40, deadline=None)
@given(LINES, LINES)
def test_decoding_two_batches_is_decoding_their_lines_at_once(first: list[str], second: list[str]) -> None:
    first, second = without_continuations(first), without_continuations(second)
    start = sum(len(line.encode()) + 1 for line in first)
    apart = pl.concat([decode(first), decode(second, start=start)])
    assert_frame_equal(decode(first + second).drop(LEARNED), apart.drop(LEARNED))


def without_continuations(lines: list[str]) -> list[str]:
    """Lines that no record before them takes: a batch's first ones are events of their own."""
    stamped = "Nov 23 22:04:17 web1 app[1]: hello"
    events = decode([line for pair in zip([stamped] * len(lines), lines, strict=True) for line in pair])
    taken = {text.partition("\n")[2] for text in events["event.original"] if text.startswith(f"{stamped}\n")}
    patterns = [pattern for one in LIBRARY.line_formats for pattern in one.definition.continues]
    frame = pl.DataFrame({"line": [line for line in lines if line not in taken]}, schema={"line": pl.String})
    continues = pl.any_horizontal(pl.col("line").str.contains(pattern) for pattern in patterns)
    return frame.filter(~continues)["line"].to_list()


def test_lines_do_not_depend_on_how_many_there_are() -> None:
    """Large frames take other ways than small ones: stamps with fractions apart, messages by distinct value."""
    lines = random.Random(1).choices(without_continuations(KNOWN), k=6_000)
    apart = {line: decode([line]) for line in set(lines)}
    expected = pl.concat([apart[line] for line in lines])
    other = ["log.offset", LEARNED]
    assert_frame_equal(decode(lines).drop(other), expected.drop(other))
