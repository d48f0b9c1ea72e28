"""Whatever the lines are: one event each, in order, unaltered, however they are cut into batches."""

from __future__ import annotations

import random

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from support.entries import batch_of
from vedette.formats import FormatEngine, load_library
from vedette.model.events import EVENT_SCHEMA

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


LEARNED = "template.id"
"""What words are values shows in other messages: see test_templates_cuts for what holds of it."""


def decode(lines: list[str], *, start: int = 0, format_name: str | None = "syslog-rfc3164") -> pl.DataFrame:
    return FormatEngine(LIBRARY).decode([batch_of(lines, start=start, format_name=format_name)])


@settings(max_examples=60, deadline=None)
@given(LINES)
def test_every_line_becomes_one_event_in_order(lines: list[str]) -> None:
    events = decode(lines, format_name=None)
    assert events.schema == EVENT_SCHEMA
    assert events["event.original"].to_list() == lines
    assert events["event.severity"].is_between(1, 10).all()
    for column in ("@timestamp", "message", "log.format", "parse.status", "event.severity"):
        assert events[column].null_count() == 0
    assert events["template.id"].is_not_null().to_list() == [bool(line.strip()) for line in lines]


@settings(max_examples=40, deadline=None)
@given(LINES, LINES)
def test_decoding_two_batches_is_decoding_their_lines_at_once(first: list[str], second: list[str]) -> None:
    start = sum(len(line.encode()) + 1 for line in first)
    apart = pl.concat([decode(first), decode(second, start=start)])
    assert_frame_equal(decode(first + second).drop(LEARNED), apart.drop(LEARNED))


def test_lines_do_not_depend_on_how_many_there_are() -> None:
    """Large frames take other ways than small ones: stamps with fractions apart, messages by distinct value."""
    lines = random.Random(1).choices(KNOWN, k=6_000)
    apart = {line: decode([line]) for line in set(lines)}
    expected = pl.concat([apart[line] for line in lines])
    other = ["log.offset", LEARNED]
    assert_frame_equal(decode(lines).drop(other), expected.drop(other))
