"""Colours of terminals do not hide what a line is."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
import pytest

from vedette.formats import FormatEngine, load_library
from vedette.formats.colours import without_colours

REFERENCE = datetime(2026, 11, 24, tzinfo=UTC)
LIBRARY = load_library()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("\x1b[2m22:04:17\x1b[0m \x1b[38;5;12mINFO\x1b[0m on", "22:04:17 INFO on"),
        ("#033[1;31mERROR#033[0m: off\x1b[K", "ERROR: off"),
        ("a[0m b \x1b[2J c", "a[0m b \x1b[2J c"),
    ],
)
def test_colours_are_taken_out_and_nothing_else(line: str, expected: str) -> None:
    assert without_colours(pl.Series([line, None, "x"])).to_list() == [expected, None, "x"]


def test_coloured_line_is_read_like_a_plain_one_and_kept_as_it_was() -> None:
    line = "\x1b[2m2026-11-23T22:04:17.123456Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mshop::cart\x1b[0m: added item=7"
    explained = FormatEngine(LIBRARY).explain([line], reference_time=REFERENCE)
    assert explained.choice.format == "rust-tracing"
    event = explained.events.row(0, named=True)
    assert (event["log.format"], event["log.level"], event["process.name"]) == ("rust-tracing", "info", "shop::cart")
    assert event["message"] == "added item=7"
    assert event["event.original"] == line
