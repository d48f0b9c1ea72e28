"""Lines made to be slow are not: every expression takes time in proportion to the line."""

from __future__ import annotations

import time

import polars as pl
import pytest

from support.entries import READ_AT, batch_of
from vedette.formats import FormatEngine, load_library
from vedette.formats.contract import ParseContext

LIBRARY = load_library()
MEBIBYTE = 1_048_576
LINES = {
    "one letter": "x" * MEBIBYTE,
    "quotes": '"' * MEBIBYTE,
    "braces": "{" * MEBIBYTE,
    "blanks": " " * MEBIBYTE,
    "digits": "1" * MEBIBYTE,
    "brackets": "[" * MEBIBYTE,
    "pairs": "a=b " * (MEBIBYTE // 4),
    "open pairs": 'a="' * (MEBIBYTE // 3),
    "nested objects": '{"a":' * (MEBIBYTE // 5),
    "tags": "<a>" * (MEBIBYTE // 3),
    "bars": "a|" * (MEBIBYTE // 2),
    "colons": "a: " * (MEBIBYTE // 3),
    "addresses": "failed login from 203.0.113.9 port 22 " * (MEBIBYTE // 38),
}
SECONDS = 2.0
"""Of the processor's time: more than fifty times what the slowest takes."""


def seconds_since(start: float) -> float:
    return time.process_time() - start


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_no_line_format_is_slow(line: str) -> None:
    for one in LIBRARY.line_formats:
        start = time.process_time()
        one.parse(pl.Series([line]), ParseContext(READ_AT))
        assert seconds_since(start) < SECONDS, one.name


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_no_message_format_is_slow(line: str) -> None:
    for one in LIBRARY.definitions.values():
        if one.is_message_format:
            start = time.process_time()
            LIBRARY.messages.match(pl.Series([one.programs[0]]), pl.Series([line]))
            assert seconds_since(start) < SECONDS, one.name


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_long_line_comes_out_whole(line: str) -> None:
    start = time.process_time()
    events = FormatEngine(LIBRARY).decode([batch_of([line, f"Nov 23 22:04:17 web1 app[1]: {line}"])])
    assert seconds_since(start) < 2 * SECONDS
    assert events["event.original"].to_list() == [line, f"Nov 23 22:04:17 web1 app[1]: {line}"]
