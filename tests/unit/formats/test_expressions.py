"""Few texts and many are judged alike, whichever engine is asked."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vedette.formats import expressions, load_library
from vedette.formats.expressions import FEW, captures, contained, contains, in_re2

LIBRARY = load_library()
SHAPES = sorted({shape for one in LIBRARY.line_formats if (shape := one.definition.looks_like) is not None})
PATTERNS = sorted({pattern for one in LIBRARY.line_formats for pattern in one.definition.patterns})
ODD = ["", " ", "\n", "a\x0bb", "\x85x", "\u00a0\u2003", "K\u212a", "ſ", "é-ü", "٣٤", "a\nb", "\t[x]", "😀 1"]
SAMPLES = [*LIBRARY.samples["line"].to_list(), *ODD]


@pytest.mark.parametrize("number", range(8))
def test_the_shapes_of_all_formats_say_the_same_of_few_texts_as_of_many(number: int) -> None:
    texts = pl.Series(SAMPLES)
    assert texts.len() > FEW
    asked = [SAMPLES[start : start + FEW] for start in range(0, len(SAMPLES), FEW)]
    for pattern in [*SHAPES, *PATTERNS][number::8]:
        few = pl.concat([contains(pl.Series(some, dtype=pl.String), pattern) for some in asked])
        assert few.to_list() == texts.str.contains(pattern).to_list(), pattern


def test_all_shapes_at_once_say_what_each_says() -> None:
    texts = pl.Series([None, *SAMPLES[::7][: FEW - 20], *ODD], dtype=pl.String)
    told = contained(texts, SHAPES)
    for place, shape in enumerate(SHAPES):
        each = texts.str.contains(shape).fill_null(value=False)
        assert (told[place].to_list() if place in told else [False] * texts.len()) == each.to_list(), shape
        assert (place in told) == each.any()


def test_texts_that_cannot_be_asked_for_all_at_once_are_asked_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(text: bytes) -> list[int] | None:
        """Out of memory for texts with an `a`."""
        return None if b"a" in text else [1] if text.endswith(b"1") else []

    out_of_memory = expressions._Together(search, left_out=frozenset({2}))
    monkeypatch.setattr(expressions, "_kept_together", lambda _: out_of_memory)
    told = contained(pl.Series(["a1", None, "a", "c1"]), ["a", "1$", "c", "x"])
    assert {place: looks.to_list() for place, looks in told.items()} == {
        0: [True, False, True, False],
        1: [True, False, False, True],
        2: [False, False, False, True],
    }


def test_most_shapes_are_asked_of_the_kept_engine() -> None:
    assert sum(in_re2(shape) is not None for shape in SHAPES) > 0.9 * len(SHAPES)


@pytest.mark.parametrize(
    "pattern",
    [r"\bx", r"\w", r"\d", r"[^\S]", "[a[bc]]", "[a&&b]", r"[[:alpha:]--x]", "(?x) a b", "(?i-u:ß)", r"a|b[\w]"],
)
def test_what_the_engines_may_read_differently_is_not_translated(pattern: str) -> None:
    assert in_re2(pattern) is None


@pytest.mark.parametrize("pattern", [r"^\s+$", r"[\s\]]x", r"(?s)^(?P<a.b>.)\n?", r"(?-u:\b)x", r"(?i)k", r"[^\]a-c]$"])
@settings(max_examples=80, deadline=None)
@given(text=st.text(st.sampled_from(list("abckKſ\u212a ]x\n\t\x0b\x85\u00a0\u3000é😀")), max_size=6))
def test_both_engines_agree(pattern: str, text: str) -> None:
    assert in_re2(pattern) is not None
    assert contains(pl.Series([text]), pattern).to_list() == pl.Series([text]).str.contains(pattern).to_list()


def test_nothing_is_found_in_nothing() -> None:
    assert contains(pl.Series([None, "a"]), "a").to_list() == [None, True]
    assert contains(pl.Series([], dtype=pl.String), "a").to_list() == []


def test_captures_are_columns() -> None:
    parts = captures(pl.Series(["a=1", "b"]), "(?P<k>[a-z])=(?P<v>[0-9])")
    assert parts.to_dict(as_series=False) == {"k": ["a", None], "v": ["1", None]}
