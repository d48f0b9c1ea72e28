"""A format is asked about every line it could read, and about few others."""

from __future__ import annotations

import string
import sys
import tracemalloc

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.formats import load_library
from vedette.formats import openers as module
from vedette.formats.beginnings import ANY, ANYTHING, DEPTH, OTHER, opening
from vedette.formats.openers import Openers, masked_heads

LIBRARY = load_library()
OPENERS = Openers(LIBRARY.line_formats)
DIGITS = frozenset(string.digits)
PATTERNS = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]x",
    r"^(?:Jan|Feb) [ 0-9][0-9] ",
    r"^a?b+c*d",
    r"^\S+ .*\[x",
    r"^<[0-9]{1,3}>1 ",
    r"^(?:\[)?(?:[0-9]{2}|Mon)z",
    r"^(?:ab|cde)*f$",
    r"^[^a-z]{2,3}(?:x|yz)?q",
    r"^(?i:level|msg)=",
)


def test_an_opening_says_what_may_stand_where() -> None:
    assert list(opening(r"^[0-9]{2}:x")[:4]) == [DIGITS, DIGITS, frozenset(":"), frozenset("x")]
    assert list(opening(r"^a?b")[:2]) == [frozenset("ab"), ANY]
    assert list(opening(r"^(?i:ab)$")[:2]) == [frozenset("aA"), frozenset("bB")]


@pytest.mark.parametrize("pattern", ["x", "^", "^a*", "(?:^a|b)", "^a|b", r"^\p{L}", "^a?", ""])
def test_what_may_begin_with_anything_says_nothing(pattern: str) -> None:
    assert opening(pattern) == ANYTHING


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_text_that_matches_is_ruled_out(pattern: str, data: st.DataObject) -> None:
    text = data.draw(st.from_regex(pattern))
    letters = [letter if letter < OTHER else OTHER for letter in text[:DEPTH]]
    assert all(letter in at for letter, at in zip(letters, opening(pattern), strict=False))


@pytest.mark.parametrize("many", [0, 10_000], ids=["masked letters", "letters"])
def test_every_format_is_asked_about_its_own_samples(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANY_HEADS", many)
    samples = LIBRARY.samples
    heads, are_masked = masked_heads(samples["line"])
    assert are_masked is (many == 0)
    unasked = [
        (name, line)
        for name, line, head in zip(samples["format"], samples["line"], heads, strict=True)
        if name not in {one.name for one in OPENERS.formats_of(head, are_masked=are_masked)}
    ]
    assert unasked == []


def test_most_formats_are_ruled_out() -> None:
    line = "2026-11-23T22:04:17Z INFO main: started"
    heads, are_masked = masked_heads(pl.Series([line]))
    asked = OPENERS.formats_of(heads[0], are_masked=are_masked)
    assert 0 < len(asked) < len(LIBRARY.line_formats) / 3


def test_nothing_is_asked_about_nothing() -> None:
    assert OPENERS.formats_of("", are_masked=False) == ()


def test_what_formats_begin_with_takes_little_memory() -> None:
    of_formats = {id(letters): letters for one in LIBRARY.line_formats for letters in one.opens}
    assert sum(map(sys.getsizeof, of_formats.values())) < 2_000_000
    tracemalloc.start()
    try:
        another = Openers(LIBRARY.line_formats)
        of_openers, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert another.formats_of("", are_masked=False) == ()
    assert of_openers < 4_000_000
